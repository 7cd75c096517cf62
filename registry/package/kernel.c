/* Walk the trees of a flat forest and add up the leaves.
 *
 * The caller has proved that every feature lies within a row, that every child lies forward in its own tree, and that a
 * leaf names itself twice; so no walk can leave the arrays or run for ever, and nothing is checked here.
 *
 * Eight walks go on side by side, of eight trees or of eight rows: a walk alone would wait for memory at every step.
 * Leaves are added in the order of the trees, beginning with 0.0, as scikit-learn adds them. Nothing is written but the
 * sums, so any number of threads may share a forest.
 */

#include <float.h>
#include <stdint.h>

#if FLT_EVAL_METHOD != 0
#error "this machine adds with more digits than float64 has; the numpy walk gives scikit-learn's sums here"
#endif

#define API __attribute__((visibility("default")))

enum { VERSION = 1 }; /* kernel.py asks for this version: raise both when a signature or struct changes */
enum { LANES = 8, BLOCK_BYTES = 1 << 19 };

typedef struct {
    float threshold;
    uint32_t feature; /* twice the feature, plus 1 where a missing value goes left */
    int32_t left, right;
} node;

typedef struct {
    const node *nodes;
    const int32_t *roots;
    const double *values; /* n_outputs a node */
    int64_t n_trees, n_features, n_outputs;
} forest;

/* All is read before it is decided, so that compilers choose without a branch: a guessed branch is wrong half the time,
 * and three times as slow. NaN is the one value that differs from itself, and is not <= anything. */
static inline int32_t step(const node *at, const float *row) {
    float seen = row[at->feature >> 1];
    int go_left = (seen <= at->threshold) | ((int)(at->feature & 1u) & (seen != seen));
    return go_left ? at->left : at->right;
}

static inline void walk(const node *nodes, int32_t at[LANES], const float *const rows[LANES]) {
    int32_t moved;
    do {
        moved = 0;
#pragma GCC unroll 8 /* else gcc 12 branches all the same */
        for (int i = 0; i < LANES; i++) {
            int32_t next = step(nodes + at[i], rows[i]);
            moved |= next ^ at[i];
            at[i] = next;
        }
    } while (moved);
}

static inline void add(const forest *trees, int32_t leaf, double *sums) {
    const double *value = trees->values + leaf * trees->n_outputs;
    for (int64_t k = 0; k < trees->n_outputs; k++)
        sums[k] += value[k];
}

static inline int lanes(int64_t left) { return left < LANES ? (int)left : LANES; }

API int32_t tunegate_kernel_version(void) { return VERSION; }

/* One row, float32 (n_features); sums: float64 (n_outputs). Lanes without a tree walk the first one's again. */
API void tunegate_sum_row(const forest *trees, const float *row, double *sums) {
    const float *rows[LANES];
    for (int i = 0; i < LANES; i++)
        rows[i] = row;
    for (int64_t k = 0; k < trees->n_outputs; k++)
        sums[k] = 0.0;
    for (int64_t tree = 0; tree < trees->n_trees; tree += LANES) {
        int n = lanes(trees->n_trees - tree);
        int32_t at[LANES];
        for (int i = 0; i < LANES; i++)
            at[i] = trees->roots[tree + (i < n ? i : 0)];
        walk(trees->nodes, at, rows);
        for (int i = 0; i < n; i++)
            add(trees, at[i], sums);
    }
}

static void sum_block(const forest *trees, const float *x, int64_t n_rows, double *sums) {
    for (int64_t k = 0; k < n_rows * trees->n_outputs; k++)
        sums[k] = 0.0;
    for (int64_t tree = 0; tree < trees->n_trees; tree++) {
        for (int64_t row = 0; row < n_rows; row += LANES) {
            int n = lanes(n_rows - row);
            int32_t at[LANES];
            const float *rows[LANES];
            for (int i = 0; i < LANES; i++) {
                at[i] = trees->roots[tree];
                rows[i] = x + (row + (i < n ? i : 0)) * trees->n_features;
            }
            walk(trees->nodes, at, rows);
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
