/* A delegate for tests: takes ABS and NEG of float32 tensors, computes them itself, and fails as its options say.
 *
 *   take=ABS,NEG    what it takes (default: both); anything else: nothing
 *   log=FILE        writes its options there, one a line
 *   create, claim, run = die|hang|fail
 *   after=N         run fails so from the N-th run on (default 0)
 *   while=FILE      run fails so only while that file is there, which is removed as it does; a device that recovers
 *   wait=MS         every run takes so long; with after=N from then on
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tflite_c.h"

enum { ABS = 101, NEG = 59, FLOAT32 = 1, MOST = 256 };
typedef struct { int code, input, output; } Step;
typedef struct { Step steps[MOST]; int count, last[MOST], lasts; float *scratch[MOST]; } Part;

static struct { char take[64], create[8], claim[8], run[8], whence[256]; int after, wait, runs; Step steps[MOST]; } is;

static int misbehave(const char *how) {
    if (!strcmp(how, "die")) raise(SIGSEGV);
    if (!strcmp(how, "hang")) for (;;) sleep(1000);
    return !strcmp(how, "fail");
}

static void *init(Context *context, const char *buffer, size_t length) {
    const Parameters *told = (const void *)buffer;
    Part *part = calloc(1, sizeof *part);
    for (int i = 0; i < told->replaced->size; i++) part->steps[part->count++] = is.steps[told->replaced->data[i]];
    for (int i = 0; i < told->outputs->size; i++) part->last[part->lasts++] = told->outputs->data[i];
    return part;
}

/* Where a tensor lies: what is neither input nor output of the part has no memory of its own any more. */
static float *values(Context *context, Part *part, int tensor, int made) {
    for (int i = 0; i < part->lasts && made; i++) if (part->last[i] == tensor) made = 0;
    for (int i = 0; i < part->count && !made; i++)
        if (part->steps[i].output == tensor && part->scratch[tensor]) return part->scratch[tensor];
    if (!made) return context->tensors[tensor].data;
    if (!part->scratch[tensor]) part->scratch[tensor] = malloc(context->tensors[tensor].bytes);
    return part->scratch[tensor];
}

static int prepare(Context *context, Node *node) { return 0; }

static int invoke(Context *context, Node *node) {
    Part *part = node->user_data;
    if (is.runs++ >= is.after) {
        usleep(1000 * is.wait);
        if (!*is.whence || !unlink(is.whence)) {
            if (misbehave(is.run)) {
                context->report(context, "the accelerator is gone");
                return 1;
            }
        }
    }
    for (int i = 0; i < part->count; i++) {
        Step *step = &part->steps[i];
        float *from = values(context, part, step->input, 0), *to = values(context, part, step->output, 1);
        size_t count = context->tensors[step->output].bytes / sizeof(float);
        for (size_t at = 0; at < count; at++) to[at] = step->code == ABS ? fabsf(from[at]) : -from[at];
    }
    return 0;
}

static int claim(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (misbehave(is.claim)) {
        context->report(context, "the compiler of the accelerator failed");
        return 1;
    }
    if (context->execution_plan(context, &plan)) return 1;
    IntArray *mine = calloc(1, sizeof(IntArray) + plan->size * sizeof(int));
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *kind;
        if (context->node(context, plan->data[i], &node, &kind)) return 1;
        const char *name = kind->builtin_code == ABS ? "ABS" : kind->builtin_code == NEG ? "NEG" : "";
        if (!*name || !strstr(is.take, name) || context->tensors[node->inputs->data[0]].type != FLOAT32) continue;
        is.steps[plan->data[i]] = (Step){kind->builtin_code, node->inputs->data[0], node->outputs->data[0]};
        mine->data[mine->size++] = plan->data[i];
    }
    Registration kernel = {init, 0, prepare, invoke, 0, BUILTIN_DELEGATE, "test-delegate", 1};
    int outcome = context->replace(context, kernel, mine, delegate);
    free(mine);
    return outcome;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **said, size_t count, void (*report)(const char *)) {
    FILE *log = 0;
    memset(&is, 0, sizeof is);
    strcpy(is.take, "ABS,NEG");
    for (size_t i = 0; i < count; i++) {
        char *text = !strcmp(keys[i], "take") ? is.take : !strcmp(keys[i], "create") ? is.create
            : !strcmp(keys[i], "claim") ? is.claim : !strcmp(keys[i], "run") ? is.run
            : !strcmp(keys[i], "while") ? is.whence : 0;
        if (text) strcpy(text, said[i]);
        else if (!strcmp(keys[i], "after")) is.after = atoi(said[i]);
        else if (!strcmp(keys[i], "wait")) is.wait = atoi(said[i]);
        else if (!strcmp(keys[i], "log")) log = fopen(said[i], "w");
        else {
            report("it knows no such option");
            return 0;
        }
    }
    for (size_t i = 0; i < count && log; i++) fprintf(log, "%s=%s\n", keys[i], said[i]);
    if (log) fclose(log);
    if (misbehave(is.create)) {
        report("no accelerator attached");
        return 0;
    }
    Delegate *made = calloc(1, sizeof *made);
    made->prepare = claim;
    return made;
}
void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
