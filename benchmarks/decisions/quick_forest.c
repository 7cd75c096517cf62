/* Random forests on small tables, as scikit-learn grows them but with other random numbers.
 *
 * Best splits by squared error (for two classes 0 and 1 the same splits as by Gini), a bootstrap
 * sample a tree, features drawn anew at each node. The rows are sorted once by each feature, and
 * the sorted lists are divided at each split, so that no node sorts. Nodes are in depth-first
 * order, as a FlatForest has them; a leaf is its own child. No missing values.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const float *x;   /* column by column */
  const double *y;
  int32_t n, width, draw, least;
  int32_t depth, rows; /* the most; rows of the bootstrap sample */
  uint64_t random;
  int32_t *order, *spare; /* width lists of rows, each sorted by its feature */
  int32_t *times;         /* how often a row is in the sample */
  char *left_side;
  int32_t *columns;
  int32_t size, room; /* nodes */
  int32_t *feature, *left, *right;
  float *threshold;
  double *value;
} Grower;

static uint64_t next_random(Grower *g) {
  uint64_t z = (g->random += 0x9e3779b97f4a7c15ULL); /* splitmix64 */
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

static int32_t below(Grower *g, int32_t n) { return (int32_t)(((next_random(g) >> 32) * (uint64_t)n) >> 32); }

static int32_t grow(Grower *g, int32_t from, int32_t to, int32_t depth, int32_t kept) {
  int32_t node = g->size++;
  double weight = 0, sum = 0, squares = 0;
  const int32_t *any = g->order;
  if (node >= g->room) return -1;
  for (int32_t i = from; i < to; i++) {
    double w = g->times[any[i]], y = g->y[any[i]];
    weight += w, sum += w * y, squares += w * y * y;
  }
  g->feature[node] = 0, g->threshold[node] = 0, g->value[node] = sum / weight;
  g->left[node] = g->right[node] = node;
  int32_t rows = to - from;
  double impurity = squares / weight - (sum / weight) * (sum / weight);
  if (rows < 2 || rows < 2 * g->least || depth >= g->depth || impurity <= 1e-14 * squares / weight)
    return node;

  double best = -1, cut = 0;
  int32_t chosen = -1, place = 0, seen = 0;
  for (int32_t left = g->width; left > 0 && seen < g->draw; left--) {
    int32_t at = below(g, left), f = g->columns[at];
    g->columns[at] = g->columns[left - 1], g->columns[left - 1] = f;
    const int32_t *list = g->order + (int64_t)f * kept;
    const float *x = g->x + (int64_t)f * g->n;
    if (x[list[from]] == x[list[to - 1]]) continue; /* constant here: draw another */
    seen++;
    double w = 0, s = 0;
    for (int32_t i = from; i < to - g->least; i++) {
      w += g->times[list[i]], s += g->times[list[i]] * g->y[list[i]];
      if (i + 1 - from < g->least || x[list[i]] == x[list[i + 1]]) continue;
      double gain = s * s / w + (sum - s) * (sum - s) / (weight - w);
      if (gain > best) {
        best = gain, chosen = f, place = i + 1;
        cut = (double)x[list[i]] / 2 + (double)x[list[i + 1]] / 2;
        if (cut >= x[list[i + 1]]) cut = x[list[i]];
      }
    }
  }
  if (chosen < 0) return node;

  const int32_t *list = g->order + (int64_t)chosen * kept;
  for (int32_t i = from; i < to; i++) g->left_side[list[i]] = i < place;
  for (int32_t f = 0; f < g->width; f++) {
    int32_t *rowlist = g->order + (int64_t)f * kept, l = from, r = 0;
    for (int32_t i = from; i < to; i++) {
      if (g->left_side[rowlist[i]]) rowlist[l++] = rowlist[i];
      else g->spare[r++] = rowlist[i];
    }
    memcpy(rowlist + l, g->spare, (size_t)r * sizeof *rowlist);
  }
  float down = (float)cut;
  if ((double)down > cut) { /* round down: no x <= t changes by it */
    int32_t bits;
    memcpy(&bits, &down, 4);
    bits += down > 0 ? -1 : 1;
    memcpy(&down, &bits, 4);
  }
  g->feature[node] = chosen, g->threshold[node] = down, g->value[node] = 0;
  int32_t left = grow(g, from, place, depth + 1, kept);
  int32_t right = left < 0 ? -1 : grow(g, place, to, depth + 1, kept);
  if (right < 0) return -1;
  g->left[node] = left, g->right[node] = right;
  return node;
}

/* Fit; return the number of nodes, -1 where `room` nodes or the memory are not enough.
 * sorted: width lists of the n rows, each sorted by its feature. start: trees + 1. */
int32_t fit_forest(const float *x, const double *y, const int32_t *sorted, int32_t n, int32_t width,
                   int32_t trees, int32_t draw, int32_t least, int32_t depth, int32_t rows,
                   uint64_t seed, int32_t room, int32_t *start, int32_t *feature, float *threshold,
                   int32_t *left, int32_t *right, double *value) {
  Grower g = {.x = x, .y = y, .n = n, .width = width, .draw = draw, .least = least, .depth = depth,
              .rows = rows, .random = seed, .room = room, .feature = feature, .left = left,
              .right = right, .threshold = threshold, .value = value};
  int32_t found = -1;
  g.order = malloc(sizeof(int32_t) * (size_t)n * (size_t)width);
  g.spare = malloc(sizeof(int32_t) * (size_t)n);
  g.times = malloc(sizeof(int32_t) * (size_t)n);
  g.columns = malloc(sizeof(int32_t) * (size_t)width);
  g.left_side = malloc((size_t)n);
  if (!g.order || !g.spare || !g.times || !g.columns || !g.left_side) goto end;
  for (int32_t f = 0; f < width; f++) g.columns[f] = f;
  for (int32_t t = 0; t < trees; t++) {
    start[t] = g.size;
    memset(g.times, 0, sizeof(int32_t) * (size_t)n);
    for (int32_t i = 0; i < rows; i++) g.times[below(&g, n)]++;
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++) kept += g.times[i] > 0;
    for (int32_t f = 0; f < width; f++) {
      int32_t *to = g.order + (int64_t)f * kept;
      for (int32_t i = 0; i < n; i++)
        if (g.times[sorted[(int64_t)f * n + i]]) *to++ = sorted[(int64_t)f * n + i];
    }
    if (grow(&g, 0, kept, 0, kept) < 0) goto end;
  }
  start[trees] = found = g.size;
end:
  free(g.order), free(g.spare), free(g.times), free(g.columns), free(g.left_side);
  return found;
}
