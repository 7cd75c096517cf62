/* Walk the trees of a flat forest and add up the leaves; or add up the terms of a flat linear model, at the end.
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

#if FLT_EVAL_METHOD != 0
#error "this machine adds with more digits than float64 has; the numpy walk gives scikit-learn's sums here"
#endif

#define API __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline)) /* so that `missing` is a constant where it is compiled */

enum { VERSION = 4 }; /* kernel.py asks for this version: raise both when a signature or struct changes */
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
