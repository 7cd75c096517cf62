/* Add up the leaves of a flat forest or the terms of a flat linear model, and turn the sums of one row into its answer. At
 * the end: hashes.
 *
 * The caller has proved that every feature lies within a row, and that both children of a node lie side by side further
 * on in its own tree. A leaf stands for its own left child: 0 nodes further on, and no value is above its threshold +inf
 * or, being missing, goes right. So no walk can leave the arrays or run for ever, and nothing is checked here.
 *
 * Sixteen walks go on side by side, of sixteen trees or of sixteen rows: a walk alone would wait for memory at every step.
 * Leaves are added in the order of the trees, beginning with 0.0, as scikit-learn adds them; or, as XGBoost adds, each sum
 * is rounded to float32 (of two floats it is exact in double first, so this is their float32 sum). Nothing is written but
 * sums and answers, so any number of threads may share a model.
 */

#include <float.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "this machine adds with more digits than float64 has; the numpy walk gives scikit-learn's sums here"
#endif

#define API __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline)) /* so that a constant argument is one where it is compiled */

enum { VERSION = 6 }; /* kernel.py asks for this version: raise both when a signature or struct changes */
enum { FOREST, SYMMETRIC, LINEAR };
enum { IDENTITY, LOGISTIC, SOFTMAX, EXPM1 };
enum { LANES = 16, WIDE = 512, TILES_FLOATS = 2 * WIDE * LANES };

typedef float four_floats __attribute__((vector_size(16)));
typedef int32_t four_numbers __attribute__((vector_size(16)));

typedef struct {
    int64_t kind, n_features, n_outputs;
} model; /* how each of the three begins */

typedef struct {
    float threshold;
    uint32_t feature; /* twice the feature, plus 1 where a missing value goes left */
    uint32_t left;    /* how many nodes further on the left child lies, with the right one behind it; 0 at a leaf */
} node;

typedef struct {
    model head;
    int64_t n_trees, single; /* single: 1 where sums are rounded to float32 */
    const node *nodes;
    const int32_t *roots;
    const double *values; /* n_outputs a node */
    int64_t steps;        /* what every walk takes at most; 0 where that is many more than most take */
} forest;

typedef struct {
    float threshold;
    uint32_t feature; /* as a node's */
} question;

typedef struct {
    model head;
    int64_t n_trees, single;
    const question *questions; /* of the trees, one after the other, from the root */
    const int32_t *depths;     /* questions a tree */
    const double *values;      /* n_outputs a leaf, 2^depth leaves a tree, from left to right */
} symmetric;

typedef struct {
    model head;
    const double *fill, *center, *scale; /* one a feature */
    const double *coefficient;           /* n_outputs a feature */
    const double *intercept;             /* n_outputs */
} linear;

typedef struct {
    const model *of;
    const double *base; /* n_outputs; or NULL */
    double members;     /* what a mean divides by; 0 for a sum */
    int64_t smooth, link;
} answer;

API int32_t tunegate_kernel_version(void) { return VERSION; }

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

INLINE double add(double sum, double value, int64_t single) {
    return single ? (double)((float)sum + (float)value) : sum + value;
}

/* Add the values of n leaves in their order; `single` is a constant, so that one output's sum stays in a register. */
INLINE void add_leaves(const double *const *leaf, int n, int64_t n_outputs, int64_t single, double *sums) {
    if (n_outputs == 1) {
        double sum = sums[0];
        for (int i = 0; i < n; i++)
            sum = add(sum, *leaf[i], single);
        sums[0] = sum;
        return;
    }
    for (int i = 0; i < n; i++) {
        for (int64_t k = 0; k < n_outputs; k++)
            sums[k] = add(sums[k], leaf[i][k], single);
    }
}

/* Leaves of one row. */
static inline void add_to_row(const double *const *leaf, int n, int64_t n_outputs, int64_t single, double *sums) {
    if (single)
        add_leaves(leaf, n, n_outputs, 1, sums);
    else
        add_leaves(leaf, n, n_outputs, 0, sums);
}

/* A row is laid out twice, where a missing value goes right and where it goes left: as NaN, which is not <= anything, and
 * as -inf, which is <= any threshold. So a node's `feature` is the place to look, and one comparison is enough. `apart` is
 * the distance between two places. */
static inline void lay_out(const float *row, int64_t n_features, int64_t apart, float *seen) {
    for (int64_t j = 0; j < n_features; j++) {
        seen[2 * j * apart] = row[j];
        seen[(2 * j + 1) * apart] = row[j] != row[j] ? -__builtin_inff() : row[j];
    }
}

INLINE uint32_t step(const node *at, const float *seen, int64_t apart) {
    return at->left + !(seen[at->feature * apart] <= at->threshold);
}

/* All lanes walk to their leaves. Lane i looks into the row at `seen + i * between`. Nothing hangs on an `if`: a guessed
 * branch is wrong half the time, and three times as slow. */
INLINE void descend(const node *at[LANES], const float *seen, int64_t apart, int64_t between, int64_t steps) {
    if (steps) {
        for (; steps > 0; steps--) {
#pragma GCC unroll 16 /* else gcc 12 keeps the lanes in memory, and branches */
            for (int i = 0; i < LANES; i++)
                at[i] += step(at[i], seen + i * between, apart);
        }
        return;
    }
    uint32_t moved;
    do {
        moved = 0;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            moved |= at[i]->left;
            at[i] += step(at[i], seen + i * between, apart);
        }
    } while (moved);
}

/* The same with a row that is too wide to be laid out, of which few values are ever looked at. */
static void descend_wide(const node *at[LANES], const float *row) {
    uint32_t moved;
    do {
        moved = 0;
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            float seen = row[at[i]->feature >> 1];
            int to_left = (seen <= at[i]->threshold) | ((int)(at[i]->feature & 1u) & (seen != seen));
            moved |= at[i]->left;
            at[i] += at[i]->left + !to_left;
        }
    } while (moved);
}

/* Lanes without a tree walk the first one's again. */
static void forest_row(const forest *trees, const float *row, double *sums) {
    int64_t n_outputs = trees->head.n_outputs;
    float seen[2 * WIDE];
    int wide = trees->head.n_features > WIDE;
    if (!wide)
        lay_out(row, trees->head.n_features, 1, seen);
    if (trees->n_trees == 1 && !wide) { /* its lanes would all do the same */
        const node *at = trees->nodes + trees->roots[0];
        while (at->left)
            at += step(at, seen, 1);
        const double *leaf = trees->values + (at - trees->nodes) * n_outputs;
        add_to_row(&leaf, 1, n_outputs, trees->single, sums);
        return;
    }
    for (int64_t tree = 0; tree < trees->n_trees; tree += LANES) {
        int n = (int)least(LANES, trees->n_trees - tree);
        const node *at[LANES];
        const double *leaf[LANES];
        for (int i = 0; i < LANES; i++)
            at[i] = trees->nodes + trees->roots[tree + (i < n ? i : 0)];
        if (wide)
            descend_wide(at, row);
        else
            descend(at, seen, 1, 0, trees->steps);
        for (int i = 0; i < LANES; i++)
            leaf[i] = trees->values + (at[i] - trees->nodes) * n_outputs;
        add_to_row(leaf, n, n_outputs, trees->single, sums);
    }
}

static void symmetric_row(const symmetric *trees, const float *row, double *sums) {
    int64_t n_outputs = trees->head.n_outputs;
    const question *asked = trees->questions;
    const double *values = trees->values;
    float seen[2 * WIDE];
    lay_out(row, trees->head.n_features, 1, seen);
    for (int64_t tree = 0; tree < trees->n_trees; tree += LANES) {
        int n = (int)least(LANES, trees->n_trees - tree);
        const double *leaf[LANES];
        for (int i = 0; i < n; i++) {
            int depth = trees->depths[tree + i];
            int64_t number = 0;
            for (int question = 0; question < depth; question++, asked++)
                number = 2 * number + !(seen[asked->feature] <= asked->threshold);
            leaf[i] = values + number * n_outputs;
            values += n_outputs << depth;
        }
        add_to_row(leaf, n, n_outputs, trees->single, sums);
    }
}

/* Terms are added in the order of the features, and the intercept last; the caller has proved all arrays finite and as
 * large as this reads them. */
static void linear_row(const linear *of, const float *row, double *restrict sums) {
    const double *weight = of->coefficient;
    int64_t n_outputs = of->head.n_outputs;
    for (int64_t j = 0; j < of->head.n_features; j++) {
        double known = row[j] != row[j] ? of->fill[j] : (double)row[j];
        double z = (known - of->center[j]) / of->scale[j];
        for (int64_t k = 0; k < n_outputs; k++)
            sums[k] += weight[k] * z;
        weight += n_outputs;
    }
    for (int64_t k = 0; k < n_outputs; k++)
        sums[k] += of->intercept[k];
}

static void sum_row(const model *of, const float *row, double *sums) {
    for (int64_t k = 0; k < of->n_outputs; k++)
        sums[k] = 0.0;
    if (of->kind == FOREST)
        forest_row((const forest *)of, row, sums);
    else if (of->kind == SYMMETRIC)
        symmetric_row((const symmetric *)of, row, sums);
    else
        linear_row((const linear *)of, row, sums);
}

/* Sixteen rows at once, side by side in a tile: lane i reads place p at p * LANES + i. */
static void lay_out_tile(const float *rows, int64_t n_features, float *tile) {
    for (int64_t j = 0; j < n_features; j++) {
        float *right = tile + 2 * j * LANES, *left = right + LANES;
        for (int i = 0; i < LANES; i++) {
            float x = rows[i * n_features + j];
            right[i] = x;
            left[i] = x != x ? -__builtin_inff() : x;
        }
    }
}

/* A leaf for each row. */
INLINE void add_each(const double *const *leaf, int64_t n_outputs, int64_t single, double *sums) {
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
        for (int64_t k = 0; k < n_outputs; k++)
            sums[i * n_outputs + k] = add(sums[i * n_outputs + k], leaf[i][k], single);
    }
}

static inline void add_to_rows(const double *const *leaf, int64_t n_outputs, int64_t single, double *sums) {
    if (n_outputs == 1 && single)
        add_each(leaf, 1, 1, sums);
    else if (n_outputs == 1)
        add_each(leaf, 1, 0, sums);
    else
        add_each(leaf, n_outputs, single, sums);
}

static void forest_tile(const forest *trees, int64_t tree, const float *tile, double *sums) {
    const node *at[LANES];
    const double *leaf[LANES];
    for (int i = 0; i < LANES; i++)
        at[i] = trees->nodes + trees->roots[tree];
    descend(at, tile, LANES, 1, trees->steps);
    for (int i = 0; i < LANES; i++)
        leaf[i] = trees->values + (at[i] - trees->nodes) * trees->head.n_outputs;
    add_to_rows(leaf, trees->head.n_outputs, trees->single, sums);
}

static void symmetric_tile(const symmetric *trees, const question *asked, int depth, const double *values,
                           const float *tile, double *sums) {
    four_numbers number[LANES / 4] = {{0}};
    const double *leaf[LANES];
    for (int question = 0; question < depth; question++) {
        const float *place = tile + (int64_t)asked[question].feature * LANES;
        float at = asked[question].threshold;
        four_floats threshold = {at, at, at, at}, seen;
        for (int i = 0; i < LANES / 4; i++) {
            memcpy(&seen, place + 4 * i, sizeof seen);
            number[i] = 2 * number[i] + 1 + (four_numbers)(seen <= threshold); /* -1 where it is */
        }
    }
    for (int i = 0; i < LANES; i++)
        leaf[i] = values + number[i / 4][i % 4] * trees->head.n_outputs;
    add_to_rows(leaf, trees->head.n_outputs, trees->single, sums);
}

INLINE void linear_lanes(const linear *of, const float *rows, int64_t n_outputs, double *sums) {
    const double *weight = of->coefficient;
    double z[LANES];
    for (int64_t j = 0; j < of->head.n_features; j++, weight += n_outputs) {
        double fill = of->fill[j], center = of->center[j], scale = of->scale[j];
        for (int i = 0; i < LANES; i++)
            z[i] = rows[i * of->head.n_features + j];
        for (int i = 0; i < LANES; i++)
            z[i] = ((z[i] != z[i] ? fill : z[i]) - center) / scale;
        for (int64_t k = 0; k < n_outputs; k++) {
            for (int i = 0; i < LANES; i++)
                sums[i * n_outputs + k] += weight[k] * z[i];
        }
    }
    for (int i = 0; i < LANES; i++) {
        for (int64_t k = 0; k < n_outputs; k++)
            sums[i * n_outputs + k] += of->intercept[k];
    }
}

/* Every tree reads all rows of a block, so a block is what the first-level cache holds beside a tree. */
static void trees_block(const model *of, const float *x, int64_t n_tiles, double *sums) {
    int64_t width = 2 * of->n_features * LANES, n_sums = LANES * of->n_outputs;
    float tiles[TILES_FLOATS];
    for (int64_t tile = 0; tile < n_tiles; tile++)
        lay_out_tile(x + tile * LANES * of->n_features, of->n_features, tiles + tile * width);
    if (of->kind == FOREST) {
        const forest *trees = (const forest *)of;
        for (int64_t tree = 0; tree < trees->n_trees; tree++)
            for (int64_t tile = 0; tile < n_tiles; tile++)
                forest_tile(trees, tree, tiles + tile * width, sums + tile * n_sums);
        return;
    }
    const symmetric *trees = (const symmetric *)of;
    const question *asked = trees->questions;
    const double *values = trees->values;
    for (int64_t tree = 0; tree < trees->n_trees; tree++) {
        int depth = trees->depths[tree];
        for (int64_t tile = 0; tile < n_tiles; tile++)
            symmetric_tile(trees, asked, depth, values, tiles + tile * width, sums + tile * n_sums);
        asked += depth;
        values += of->n_outputs << depth;
    }
}

/* Rows one after the other, float32 (n_rows, n_features); sums: float64 (n_rows, n_outputs). Rows that fill no tile are
 * summed one by one, and so are those of trees that are too wide to be laid out. */
API void tunegate_sum_rows(const model *of, const float *x, int64_t n_rows, double *sums) {
    int64_t row = 0, n_features = of->n_features, n_outputs = of->n_outputs;
    if (of->kind == LINEAR || n_features <= WIDE) {
        int64_t full = n_rows - n_rows % LANES;
        memset(sums, 0, (size_t)(full * n_outputs) * sizeof *sums); /* which is 0.0 */
        int64_t block = of->kind == LINEAR ? LANES : LANES * (WIDE / n_features);
        for (; row < full; row += least(block, full - row)) {
            const float *rows = x + row * n_features;
            double *of_rows = sums + row * n_outputs;
            if (of->kind != LINEAR)
                trees_block(of, rows, least(block, full - row) / LANES, of_rows);
            else if (n_outputs == 1)
                linear_lanes((const linear *)of, rows, 1, of_rows);
            else
                linear_lanes((const linear *)of, rows, n_outputs, of_rows);
        }
    }
    for (; row < n_rows; row++)
        sum_row(of, x + row * n_features, sums + row * n_outputs);
}

INLINE double power_of_two(int64_t exponent) {
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* exp(x), or exp(x) - 1, with less than one ulp or two of error and the same bits on every machine: sums and products in
 * an order that numpy_kernel.py repeats. x is k log 2 + r, and p = exp(r) - 1 is Taylor's series. */
INLINE double exponential(double x, int minus_one) {
    double within = x >= -746.0 ? (x <= 710.0 ? x : 710.0) : -746.0; /* beyond are 0 and infinity */
    double k = (within * 0x1.71547652b82fep+0 + 0x1.8p+52) - 0x1.8p+52;
    double r = (within - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
    double q = 1.0 / 6227020800.0;
    q = q * r + 1.0 / 479001600.0;
    q = q * r + 1.0 / 39916800.0;
    q = q * r + 1.0 / 3628800.0;
    q = q * r + 1.0 / 362880.0;
    q = q * r + 1.0 / 40320.0;
    q = q * r + 1.0 / 5040.0;
    q = q * r + 1.0 / 720.0;
    q = q * r + 1.0 / 120.0;
    q = q * r + 1.0 / 24.0;
    q = q * r + 1.0 / 6.0;
    q = q * r + 0.5;
    double p = r + (r * r) * q;
    int64_t half = ((int64_t)k + 2048) / 2 - 1024, rest = (int64_t)k - half;
    double first = power_of_two(half), second = power_of_two(rest);
    double found = ((1.0 + p) * first) * second;
    if (minus_one && k < 64.0)
        found = (first * second) * p + (first * second - 1.0);
    return x == x ? found : x;
}

/* exp of n numbers in place, or exp - 1. */
API void tunegate_exp(double *x, int64_t n, int64_t minus_one) {
    for (int64_t i = 0; i < n; i++)
        x[i] = exponential(x[i], minus_one != 0);
}

/* What registry/package/prediction.py does to the sums of many rows, in the same order. */
static inline double before_link(const answer *to, double sum, int64_t k) {
    if (to->members != 0.0)
        sum /= to->members;
    if (to->base)
        sum += to->base[k];
    if (to->smooth)
        sum = (to->members * sum + 1.0 / (double)to->of->n_outputs) / (to->members + 1.0);
    return sum;
}

/* The answer to one row of a model with one sum: a number, or the second of two classes' shares. */
API double tunegate_answer_number(const answer *to, const float *row) {
    double sum;
    sum_row(to->of, row, &sum);
    sum = before_link(to, sum, 0);
    if (to->link == LOGISTIC)
        return 1.0 / (1.0 + exponential(-sum, 0));
    if (to->link == EXPM1) {
        double found = exponential(sum, 1);
        return found > DBL_MAX ? DBL_MAX : found;
    }
    return sum;
}

/* The answer to one row of a model with several sums, float64 (n_outputs): sums, or the classes' shares. */
API void tunegate_answer_shares(const answer *to, const float *row, double *shares) {
    int64_t n = to->of->n_outputs;
    sum_row(to->of, row, shares);
    for (int64_t k = 0; k < n; k++)
        shares[k] = before_link(to, shares[k], k);
    if (to->link != SOFTMAX)
        return;
    double largest = shares[0], total = 0.0;
    for (int64_t k = 1; k < n; k++)
        largest = shares[k] > largest ? shares[k] : largest;
    for (int64_t k = 0; k < n; k++) {
        shares[k] = exponential(shares[k] - largest, 0);
        total += shares[k];
    }
    for (int64_t k = 0; k < n; k++)
        shares[k] /= total;
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
