/* The structures of TensorFlow Lite's C interface (tensorflow/lite/core/c/common.h), as far as delegates in tests use
 * them. No package brings that header. */
#ifndef TFLITE_C_H
#define TFLITE_C_H
#include <stddef.h>
#include <stdint.h>

typedef struct { int size; int data[]; } IntArray;
typedef struct {
    int type; void *data; IntArray *dims; struct { float scale; int32_t zero; } params; int allocation_type;
    size_t bytes; const void *allocation; const char *name; void *delegate; int buffer_handle;
    char data_is_stale, is_variable; struct { int type; void *params; } quantization; void *sparsity;
    const IntArray *dims_signature;
} Tensor;
typedef struct { IntArray *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;
struct Context;
typedef struct {
    void *(*init)(struct Context *, const char *, size_t);
    void (*free)(struct Context *, void *);
    int (*prepare)(struct Context *, Node *);
    int (*invoke)(struct Context *, Node *);
    const char *(*profiling_string)(const struct Context *, const Node *);
    int32_t builtin_code; const char *custom_name; int version; void *external, *async_kernel; uint64_t inplace;
} Registration;
typedef struct Delegate {
    void *data;
    int (*prepare)(struct Context *, struct Delegate *);
    void *copy_from, *copy_to, *free_handle; int64_t flags; void *builder;
} Delegate;
typedef struct Context {
    size_t tensors_size;
    int (*execution_plan)(struct Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    void *resize;
    void (*report)(struct Context *, const char *, ...);
    void *add;
    int (*node)(struct Context *, int, Node **, Registration **);
    int (*replace)(struct Context *, Registration, const IntArray *, Delegate *);
} Context;
typedef struct { Delegate *delegate; IntArray *replaced, *inputs, *outputs; } Parameters;
enum { BUILTIN_DELEGATE = 51 };

#endif
