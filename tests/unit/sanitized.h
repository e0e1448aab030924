/* sanitized.h - is this built under a sanitizer, whose own memory and threads count too? */
#ifndef SKL_TESTS_SANITIZED_H
#define SKL_TESTS_SANITIZED_H
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif
#endif
