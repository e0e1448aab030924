/* peak.cl - multiply-adds in registers: 8 chains of float4 an item, all independent. */
KERNEL(256)
peak(__global float *to, int rounds)
{
    float4 v[8];
    UNROLLED
    for (int i = 0; i < 8; i++) v[i] = (float)(get_global_id(0) + i) * 1e-6f;
    for (int r = 0; r < rounds; r++)
        UNROLLED
        for (int i = 0; i < 8; i++) v[i] = fma(v[i], (float4)0.999f, (float4)1e-3f);
    float4 sum = 0;
    UNROLLED
    for (int i = 0; i < 8; i++) sum += v[i];
    to[get_global_id(0)] = sum.x + sum.y + sum.z + sum.w;
}
