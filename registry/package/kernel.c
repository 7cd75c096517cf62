/* Walk the trees of a flat forest and add up the leaves; or add up the terms of a flat linear model. At the end: hashes.
 *
 * The caller has proved that every feature lies within a row, and that both children of a node lie side by side further
 * on in its own tree. A leaf stands for its own left child: 0 nodes further on, and no value is above its threshold +inf
 * or, being missing, goes right. So no walk can leave the arrays or run for ever, and nothing is checked here.
 *
 * Twelve walks go on side by side, of twelve trees or of twelve rows: a walk alone would wait for memory at every step.
 * Leaves are added in the order of the trees, beginning with 0.0, as scikit-learn adds them; or, as XGBoost adds, each sum
 * is rounded to float32 (of two floats it is exact in double first, so this is their float32 sum). Nothing is written but
 * the sums, so any number of threads may share a forest.
 */

#include <float.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "this machine adds with more digits than float64 has; the numpy walk gives scikit-learn's sums here"
#endif

#define API __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline)) /* so that `missing` is a constant where it is compiled */

enum { VERSION = 5 }; /* kernel.py asks for this version: raise both when a signature or struct changes */
enum { LANES = 12, BLOCK_BYTES = 1 << 19 };

typedef struct {
    float threshold;
    uint32_t feature; /* twice the feature, plus 1 where a missing value goes left */
    uint32_t left;    /* how many nodes further on the left child lies, with the right one behind it; 0 at a leaf */
} node;

typedef struct {
    const node *nodes;
    const int32_t *roots;
    const double *values; /* n_outputs a node */
    int64_t n_trees, n_features, n_outputs;
    int64_t single; /* 1: sums are rounded to float32 */
} forest;

/* Rows known to have no NaN are spared the question where it goes. NaN is the one value that differs from itself, and is
 * not <= anything. Nothing hangs on an `if`: a guessed branch is wrong half the time, and three times as slow. */
INLINE uint32_t goes_right(const node *at, const float *row, int missing) {
    float seen = row[at->feature >> 1];
    if (!missing)
        return seen > at->threshold;
    return !((seen <= at->threshold) | ((int)(at->feature & 1u) & (seen != seen)));
}

INLINE void descend(const node *at[LANES], const float *const rows[LANES], int missing) {
    uint32_t moved;
    do {
        moved = 0;
#pragma GCC unroll 12 /* else gcc 12 keeps the lanes in memory, and branches */
        for (int i = 0; i < LANES; i++) {
            moved |= at[i]->left;
            at[i] += at[i]->left + goes_right(at[i], rows[i], missing);
        }
    } while (moved);
}

static inline void add(const forest *trees, const node *leaf, double *sums) {
    const double *value = trees->values + (leaf - trees->nodes) * trees->n_outputs;
    for (int64_t k = 0; k < trees->n_outputs; k++) {
        double sum = sums[k] + value[k];
        sums[k] = trees->single ? (double)(float)sum : sum;
    }
}

static inline int any_missing(const float *x, int64_t n) {
    int missing = 0;
    for (int64_t i = 0; i < n; i++)
        missing |= x[i] != x[i];
    return missing;
}

static inline int lanes(int64_t left) { return left < LANES ? (int)left : LANES; }

API int32_t tunegate_kernel_version(void) { return VERSION; }

/* One row, float32 (n_features); sums: float64 (n_outputs). Lanes without a tree walk the first one's again. A wide row
 * is not searched for NaN, as few of its values are ever looked at. */
API void tunegate_sum_row(const forest *trees, const float *row, double *sums) {
    const float *rows[LANES];
    for (int i = 0; i < LANES; i++)
        rows[i] = row;
    for (int64_t k = 0; k < trees->n_outputs; k++)
        sums[k] = 0.0;
    for (int64_t tree = 0; tree < trees->n_trees; tree += LANES) {
        int n = lanes(trees->n_trees - tree);
        const node *at[LANES];
        for (int i = 0; i < LANES; i++)
            at[i] = trees->nodes + trees->roots[tree + (i < n ? i : 0)];
        descend(at, rows, 1);
        for (int i = 0; i < n; i++)
            add(trees, at[i], sums);
    }
}

static void sum_block(const forest *trees, const float *x, int64_t n_rows, double *sums) {
    int missing = any_missing(x, n_rows * trees->n_features);
    for (int64_t k = 0; k < n_rows * trees->n_outputs; k++)
        sums[k] = 0.0;
    for (int64_t tree = 0; tree < trees->n_trees; tree++) {
        for (int64_t row = 0; row < n_rows; row += LANES) {
            int n = lanes(n_rows - row);
            const node *at[LANES];
            const float *rows[LANES];
            for (int i = 0; i < LANES; i++) {
                at[i] = trees->nodes + trees->roots[tree];
                rows[i] = x + (row + (i < n ? i : 0)) * trees->n_features;
            }
            if (missing)
                descend(at, rows, 1);
            else
                descend(at, rows, 0);
            for (int i = 0; i < n; i++)
                add(trees, at[i], sums + (row + i) * trees->n_outputs);
        }
    }
}

/* Rows one after the other, float32 (n_rows, n_features); sums: float64 (n_rows, n_outputs). Every tree reads all rows
 * of a block, so a block is what the second-level cache holds beside a tree. Few rows would leave lanes empty. */
API void tunegate_sum_rows(const forest *trees, const float *x, int64_t n_rows, double *sums) {
    int64_t fitting = BLOCK_BYTES / LANES / (trees->n_features * (int64_t)sizeof(float));
    int64_t block = LANES * (fitting > 0 ? fitting : 1);
    if (n_rows < LANES / 2) {
        for (int64_t row = 0; row < n_rows; row++)
            tunegate_sum_row(trees, x + row * trees->n_features, sums + row * trees->n_outputs);
        return;
    }
    for (int64_t row = 0; row < n_rows; row += block)
        sum_block(trees, x + row * trees->n_features, n_rows - row < block ? n_rows - row : block,
                  sums + row * trees->n_outputs);
}

typedef struct {
    const double *fill, *center, *scale; /* one a feature */
    const double *coefficient;           /* n_outputs a feature */
    const double *intercept;             /* n_outputs */
    int64_t n_features, n_outputs;
} linear;

/* One row, float32 (n_features); sums: float64 (n_outputs). Terms are added in the order of the features, beginning with
 * 0.0, and the intercept last; the caller has proved all arrays finite and as large as this reads them. */
API void tunegate_linear_row(const linear *model, const float *row, double *restrict sums) {
    const double *weight = model->coefficient;
    for (int64_t k = 0; k < model->n_outputs; k++)
        sums[k] = 0.0;
    for (int64_t j = 0; j < model->n_features; j++) {
        double seen = row[j] != row[j] ? model->fill[j] : (double)row[j];
        double z = (seen - model->center[j]) / model->scale[j];
        for (int64_t k = 0; k < model->n_outputs; k++)
            sums[k] += weight[k] * z;
        weight += model->n_outputs;
    }
    for (int64_t k = 0; k < model->n_outputs; k++)
        sums[k] += model->intercept[k];
}

/* Rows one after the other, float32 (n_rows, n_features); sums: float64 (n_rows, n_outputs). */
API void tunegate_linear_rows(const linear *model, const float *x, int64_t n_rows, double *sums) {
    for (int64_t row = 0; row < n_rows; row++)
        tunegate_linear_row(model, x + row * model->n_features, sums + row * model->n_outputs);
}

/* BLAKE2b (RFC 7693), the first 8 bytes of the digest of many short pieces: a table's rows. Python's own takes as long for
 * the calls as for the hash. */
enum { BLOCK = 128, WORDS = 16, ROUNDS = 12, DIGEST = 8 };

static const uint64_t blake_start[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
static const uint8_t blake_order[ROUNDS][WORDS] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

INLINE uint64_t turned(uint64_t word, int bits) { return word >> bits | word << (64 - bits); }

INLINE void mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y) {
    v[a] += v[b] + x;
    v[d] = turned(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = turned(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = turned(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = turned(v[b] ^ v[c], 63);
}

/* Take one block of 128 bytes into the state; `read` bytes with it, the last block's included. */
static void take_block(uint64_t state[8], const uint8_t *block, uint64_t read, int is_last) {
    uint64_t m[WORDS], v[WORDS];
    memcpy(m, block, BLOCK);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (int i = 0; i < WORDS; i++)
        m[i] = __builtin_bswap64(m[i]);
#endif
    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
        v[i + 8] = blake_start[i];
    }
    v[12] ^= read;
    if (is_last)
        v[14] = ~v[14];
#pragma GCC unroll 12 /* so that the order is a constant, and all words stay in registers */
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t *order = blake_order[round];
        mix(v, 0, 4, 8, 12, m[order[0]], m[order[1]]);
        mix(v, 1, 5, 9, 13, m[order[2]], m[order[3]]);
        mix(v, 2, 6, 10, 14, m[order[4]], m[order[5]]);
        mix(v, 3, 7, 11, 15, m[order[6]], m[order[7]]);
        mix(v, 0, 5, 10, 15, m[order[8]], m[order[9]]);
        mix(v, 1, 6, 11, 12, m[order[10]], m[order[11]]);
        mix(v, 2, 7, 8, 13, m[order[12]], m[order[13]]);
        mix(v, 3, 4, 9, 14, m[order[14]], m[order[15]]);
    }
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

/* Pieces one after the other, of `size` bytes each, at least one; a key of at most 64 bytes, or none of length 0. Digests:
 * 8 bytes a piece. */
API void tunegate_hash_pieces(const uint8_t *content, int64_t size, int64_t n_pieces, const uint8_t *key, int64_t key_size,
                              uint8_t *digests) {
    uint8_t block[BLOCK] = {0};
    uint64_t keyed[8], before = 0;
    memcpy(keyed, blake_start, sizeof keyed);
    keyed[0] ^= 0x01010000 ^ (uint64_t)key_size << 8 ^ DIGEST;
    if (key_size) {
        memcpy(block, key, (size_t)key_size);
        before = BLOCK;
        take_block(keyed, block, before, 0);
    }
    for (int64_t piece = 0; piece < n_pieces; piece++, content += size) {
        uint64_t state[8];
        int64_t at = 0;
        memcpy(state, keyed, sizeof state);
        for (; size - at > BLOCK; at += BLOCK)
            take_block(state, content + at, before + (uint64_t)(at + BLOCK), 0);
        memset(block, 0, sizeof block);
        memcpy(block, content + at, (size_t)(size - at));
        take_block(state, block, before + (uint64_t)size, 1);
        for (int byte = 0; byte < DIGEST; byte++)
            digests[DIGEST * piece + byte] = (uint8_t)(state[0] >> (8 * byte));
    }
}
