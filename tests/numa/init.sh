#!/bin/busybox sh
# First program of a guest: mounts this machine's root file system (read-only, under a throw-away overlay), a fresh /data and the
# job's directory, runs the job as root, and powers off. /job/status exists only if the job ended.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/mods/$module" || echo "guest: cannot load $module"; done </mods/order

# cache=loose: the files do not change under us, and without it every import asks the host again
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /lower
mount -t tmpfs -o size=25% tmpfs /scratch
mkdir /scratch/upper /scratch/work
mount -t overlay -o lowerdir=/lower,upperdir=/scratch/upper,workdir=/scratch/work overlay /host
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 job /job
. /job/environment

mkdir -p /host/proc /host/sys /host/dev /host/data /host/job /host/tmp /host/run
mount -t proc proc /host/proc
mount -t sysfs sys /host/sys
mount -t devtmpfs dev /host/dev
mkdir -p /host/dev/pts /host/dev/shm
mount -t devpts devpts /host/dev/pts
mount -t tmpfs tmpfs /host/dev/shm
mount -t tmpfs tmpfs /host/run
mount -t tracefs tracefs /host/sys/kernel/tracing
mount -o bind /job /host/job
# what a wlat on this machine has changed is no business of the guest's
rm -rf /host/var/lib/wlat
ip link set lo up
hostname guest

case $GUEST_FS in ext4) force=-F ;; *) force=-f ;; esac
chroot /host /usr/sbin/mkfs."$GUEST_FS" -q $force /dev/vda && mount -t "$GUEST_FS" /dev/vda /host/data || echo "guest: no /data"
chroot /host /bin/bash /job/script >/job/output 2>&1 </dev/null
echo $? >/job/status
umount /host/data
sync
poweroff -f
