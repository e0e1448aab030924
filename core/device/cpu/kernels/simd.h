/* simd.h - one vector of floats, as wide as the CPU level this file is compiled for.
 *
 * conv_winograd.c, conv_direct.c and vector.c are each compiled once a level, with that level's compiler flags and
 * -DSKL_LEVEL=avx512|avx2|base -DSKL_LANES=16|8|4.  Their public names get the level as a suffix: SKL_NAME(x).
 * Everything here is static and always inlined, so that no wide instruction leaks into code that a smaller CPU runs.
 *
 *     vf          LANES floats; + - * and unary minus work on it (GCC's vector extension)
 *     vf_fma      a*b + c, in one rounding where the CPU has it: the only fused multiply-adds of the project
 *     vf_*_n      the same on the first n lanes of memory only; the other lanes are 0 or not stored
 *     vm          a mask, one truth value a lane */
#ifndef SKL_SIMD_H
#define SKL_SIMD_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SKL_PASTE_(a, b) a##_##b
#define SKL_PASTE(a, b) SKL_PASTE_(a, b)
#define SKL_NAME(x) SKL_PASTE(x, SKL_LEVEL) /* skl_sigmoid -> skl_sigmoid_avx2 */
#define SKL_TEXT_(x) #x
#define SKL_TEXT(x) SKL_TEXT_(x)
#define SKL_LEVEL_TEXT SKL_TEXT(SKL_LEVEL) /* "avx2" */

#define INLINE static inline __attribute__((always_inline, unused))

enum { LANES = SKL_LANES };

#if SKL_LANES == 16
#include <immintrin.h>
enum { VECTOR_REGISTERS = 32 };
typedef float vf __attribute__((vector_size(64)));
typedef __mmask16 vm;
INLINE vm lanes_below(int n) { return (vm)((1u << n) - 1); }
INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf vf_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(lanes_below(n), p); }
INLINE void vf_store_n(float *p, vf a, int n) { _mm512_mask_storeu_ps(p, lanes_below(n), a); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vm vm_greater(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
INLINE vf vf_where(vm m, vf a) { return _mm512_maskz_mov_ps(m, a); }
INLINE vf vf_add_where(vf a, vm m, vf b) { return _mm512_mask_add_ps(a, m, a, b); }
INLINE vm vm_bits(uint32_t bits) { return (vm)bits; }
INLINE vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/* a * 2^n for integral n in [-126, 127] */
INLINE vf vf_scale2(vf a, vf n)
{
    __m512i e = _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    return _mm512_mul_ps(a, _mm512_castsi512_ps(e));
}
#elif SKL_LANES == 8
#include <immintrin.h>
enum { VECTOR_REGISTERS = 16 };
typedef float vf __attribute__((vector_size(32)));
typedef float vm __attribute__((vector_size(32)));
INLINE __m256i lanes_below(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
INLINE vf vf_load_n(const float *p, int n)
{
    if (n == 8) return vf_load(p);
    return _mm256_maskload_ps(p, lanes_below(n));
}
INLINE void vf_store_n(float *p, vf a, int n)
{
    if (n == 8)
        vf_store(p, a);
    else
        _mm256_maskstore_ps(p, lanes_below(n), a);
}
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vm vm_greater(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
INLINE vf vf_where(vm m, vf a) { return _mm256_and_ps(m, a); }
INLINE vf vf_add_where(vf a, vm m, vf b) { return a + vf_where(m, b); }
INLINE vm vm_bits(uint32_t bits)
{
    __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane));
}
INLINE vf vf_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vf vf_scale2(vf a, vf n)
{
    __m256i e = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(e));
}
#elif SKL_LANES == 4
#ifdef __aarch64__
#include <arm_neon.h>
enum { VECTOR_REGISTERS = 32 };
#else
enum { VECTOR_REGISTERS = 16 };
#endif
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vm __attribute__((vector_size(16)));
INLINE vf vf_set1(float x) { return (vf){x, x, x, x}; }
INLINE vf vf_load_n(const float *p, int n)
{
    vf a = {0, 0, 0, 0};
    memcpy(&a, p, sizeof *p * (size_t)n);
    return a;
}
INLINE void vf_store_n(float *p, vf a, int n) { memcpy(p, &a, sizeof *p * (size_t)n); }
INLINE vf vf_load(const float *p) { return vf_load_n(p, 4); }
INLINE void vf_store(float *p, vf a) { vf_store_n(p, a, 4); }
#ifdef __aarch64__
INLINE vf vf_fma(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
INLINE vf vf_fnma(vf a, vf b, vf c) { return (vf)vfmsq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf vf_fnma(vf a, vf b, vf c) { return c - a * b; }
#endif
INLINE vf vf_select(vm m, vf a, vf b) { return (vf)(((vm)a & m) | ((vm)b & ~m)); }
INLINE vm vm_greater(vf a, vf b) { return (vm)(a > b); }
INLINE vf vf_max(vf a, vf b) { return vf_select(vm_greater(a, b), a, b); }
INLINE vf vf_min(vf a, vf b) { return vf_select(vm_greater(b, a), a, b); }
INLINE vf vf_where(vm m, vf a) { return (vf)((vm)a & m); }
INLINE vf vf_add_where(vf a, vm m, vf b) { return a + vf_where(m, b); }
INLINE vm vm_bits(uint32_t bits)
{
    vm lane = {1, 2, 4, 8}, b = {(int)bits, (int)bits, (int)bits, (int)bits};
    return (vm)((b & lane) == lane);
}
/* Adding 1.5 * 2^23 leaves no place for a fraction: rounds to the nearest integer for |a| < 2^22. */
INLINE vf vf_round(vf a)
{
    vf big = vf_set1(0x1.8p23f);
    return (a + big) - big;
}
INLINE vf vf_scale2(vf a, vf n)
{
    vm bits = (vm)(n + vf_set1(0x1.8p23f)) + (127 - 0x4B400000); /* low bits of the sum are n + 127 */
    return a * (vf)(bits << 23);
}
#else
#error "compile with -DSKL_LANES=16, 8 or 4"
#endif

/* Keeps a in a register: gcc otherwise likes to load a value again for each of its uses. */
INLINE vf vf_hold(vf a)
{
#ifdef __aarch64__
    __asm__("" : "+w"(a));
#elif defined __x86_64__
    __asm__("" : "+v"(a));
#endif
    return a;
}
INLINE vf vf_fetch(const float *p) { return vf_hold(vf_load(p)); }
INLINE vf vf_zero(void) { return vf_set1(0); }
/* max(0, a); a where a is not a number, so that divergence is not hidden. */
INLINE vf vf_relu(vf a) { return vf_max(vf_zero(), a); }
/* The bits of `keep` for the n <= LANES elements from e on; e and the tensor's length are multiples of 8, or of
 * LANES where LANES < 8. */
INLINE vm vm_keep(const uint8_t *keep, size_t e, int n)
{
    uint32_t bits = keep[e / 8];
    if (LANES == 16 && n > 8) bits |= (uint32_t)keep[e / 8 + 1] << 8;
    return vm_bits(LANES == 4 ? bits >> (e % 8) & 15 : bits);
}

/* ---- 64-bit lanes that hold 32-bit numbers, for Philox ---- */
enum { LANES64 = LANES / 2 };
typedef uint64_t vu __attribute__((vector_size(LANES64 * 8)));
/* The full product of the low 32 bits of every lane. */
INLINE vu vu_mul32(vu a, vu b)
{
#if SKL_LANES == 16
    return (vu)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif SKL_LANES == 8
    return (vu)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
    const uint64_t low = 0xffffffff;
    return (a & low) * (b & low);
#endif
}
#endif
