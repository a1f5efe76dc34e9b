/* A stand-in for libedgetpu, for tests: the same functions, and no device. What it claims to have and how it fails is
 * said by macros. Where it works, each output byte is the number of the chosen device plus 1.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tflite_c.h"

#ifndef USB
#define USB 0
#endif
#ifndef PCI
#define PCI 0
#endif

#define DO_fine
#define DO_die raise(SIGSEGV);
#define DO_hang for (;;) sleep(1000);
#define DO_refuse return 0;
#define DO_fail return 1;
#define NOW_(what) DO_##what
#define NOW(what) NOW_(what)
#ifndef LOAD
#define LOAD fine
#endif
#ifndef LIST
#define LIST fine
#endif
#ifndef CREATE
#define CREATE fine
#endif
#ifndef PREPARE
#define PREPARE fine
#endif
#ifndef RUN
#define RUN fine
#endif
#ifndef CLOSE
#define CLOSE fine
#endif

__attribute__((constructor)) static void loaded(void) { NOW(LOAD) }

#ifndef NO_LISTING
struct device { int type; const char *path; };
struct device *edgetpu_list_devices(size_t *count) {
    struct device *found = calloc(USB + PCI + 1, sizeof *found);
    NOW(LIST)
    *count = USB + PCI;
    for (int i = 0; i < USB + PCI; i++) {
        char *path = malloc(64);
        snprintf(path, 64, i < USB ? "/sys/bus/usb/devices/1-%d" : "/dev/apex_%d", i < USB ? i + 1 : i - USB);
        found[i] = (struct device){i < USB ? 1 : 0, path};
    }
    return USB + PCI ? found : 0;
}
void edgetpu_free_devices(struct device *devices) { free(devices); }
#ifdef VERSION
const char *edgetpu_version(void) { return "BuildLabel(stand-in), RuntimeVersion(" VERSION ")"; }
#endif
#endif

#ifndef NO_DELEGATE

static void *init(Context *context, const char *buffer, size_t length) {
    return ((const Parameters *)(const void *)buffer)->delegate->data;
}
static int prepare(Context *context, Node *node) {
#ifdef COMPLAINT
    context->report(context, COMPLAINT);
#endif
    NOW(PREPARE)
    return 0;
}
static int invoke(Context *context, Node *node) {
    static int runs;
    NOW(RUN)
    if (getenv("STAND_IN_RUNS") && ++runs > atoi(getenv("STAND_IN_RUNS"))) for (;;) sleep(1000); /* lost its device */
    for (int i = 0; i < node->outputs->size; i++) {
        Tensor *output = &context->tensors[node->outputs->data[i]];
        memset(output->data, (int)(intptr_t)node->user_data + 1, output->bytes);
    }
    return 0;
}
static int claim(Context *context, Delegate *delegate) {
#ifndef CLAIM_NOTHING
    IntArray *plan;
    if (context->execution_plan(context, &plan)) return 1;
    IntArray *mine = calloc(1, sizeof(IntArray) + plan->size * sizeof(int));
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *registration;
        if (context->node(context, plan->data[i], &node, &registration)) return 1;
        if (registration->custom_name && !strcmp(registration->custom_name, "edgetpu-custom-op"))
            mine->data[mine->size++] = plan->data[i];
    }
    Registration kernel = {init, 0, prepare, invoke, 0, BUILTIN_DELEGATE, "stand-in", 1};
    int outcome = context->replace(context, kernel, mine, delegate);
    free(mine);
    return outcome;
#else
    return 0;
#endif
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    const char *device = "", *log = getenv("STAND_IN_LOG"), *once = getenv("STAND_IN_BUSY");
    FILE *file = log ? fopen(log, "a") : 0;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(keys[i], "device")) device = values[i];
        if (file) fprintf(file, "%s=%s ", keys[i], values[i]);
    }
    if (file) { fprintf(file, "\n"); fclose(file); }
    if (getenv("STAND_IN_PID")) {
        FILE *pid = fopen(getenv("STAND_IN_PID"), "w");
        fprintf(pid, "%d", (int)getpid());
        fclose(pid);
    }
    if (once && !access(once, F_OK)) { unlink(once); return 0; } /* as a device that was let go of a moment ago */
#ifdef REASON
    report(REASON);
#endif
    NOW(CREATE)
    Delegate *made = calloc(1, sizeof *made);
    const char *number = strrchr(device, ':');
    made->data = (void *)(intptr_t)(number ? atoi(number + 1) : 0);
    made->prepare = claim;
    made->flags = 1; /* dynamic tensors are fine: otherwise the operations are prepared before they are claimed */
    return made;
}
void tflite_plugin_destroy_delegate(Delegate *delegate) { NOW(CLOSE) free(delegate); }
#endif
