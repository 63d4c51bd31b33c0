/* check.h: a failed check says where and ends the program. */
#include <stdio.h>
#include <stdlib.h>

#define CHECK(what)                                                            \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                               \
		}                                                              \
	} while (0)
#define CHECK_EQUAL(a, b)                                                                             \
	do {                                                                                          \
		long long left_ = (long long)(a), right_ = (long long)(b);                            \
		if (left_ != right_) {                                                                \
			fprintf(stderr, "%s:%d: %s is %lld, %s is %lld\n", __FILE__, __LINE__, #a, left_, #b, right_); \
			exit(1);                                                                      \
		}                                                                                     \
	} while (0)
