/*
 * The launcher's host: starts the engine, runs the compiled bundle, and gives it the few things of an operating system
 * that it needs, as the global `host` (src/host.ts says what each of them does).
 *
 * Strings cross the border with one byte per character, so that what is not UTF-8 passes through unchanged.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quickjs.h"

extern const uint8_t bundle[];
extern const uint32_t bundle_size;
extern char **environ;

/* Exit code of a launcher that fails (platform spec, "launcher", "Outputs"). */
enum { LAUNCH_ERROR = 82 };

/* No file that the launcher reads is anywhere near this; an endless one must not eat the container's memory. */
enum { MAX_FILE_BYTES = 16 * 1024 * 1024 };

/* ---- strings ---- */

static JSValue from_bytes(JSContext *ctx, const char *bytes, size_t length) {
    size_t high = 0;
    for (size_t i = 0; i < length; i++) high += (unsigned char)bytes[i] >> 7;
    if (high == 0) return JS_NewStringLen(ctx, bytes, length);
    char *utf8 = js_malloc(ctx, length + high);
    if (!utf8) return JS_EXCEPTION;
    size_t at = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = bytes[i];
        if (byte < 0x80) {
            utf8[at++] = byte;
        } else {
            utf8[at++] = 0xc0 | (byte >> 6);
            utf8[at++] = 0x80 | (byte & 0x3f);
        }
    }
    JSValue string = JS_NewStringLen(ctx, utf8, at);
    js_free(ctx, utf8);
    return string;
}

/* The string's bytes with a NUL behind them, to be freed with js_free; NULL with an exception pending. */
static char *to_bytes(JSContext *ctx, JSValueConst value, size_t *length) {
    size_t size;
    const char *utf8 = JS_ToCStringLen(ctx, &size, value);
    if (!utf8) return NULL;
    char *bytes = js_malloc(ctx, size + 1);
    size_t at = 0;
    for (size_t i = 0; bytes && i < size; i++) {
        unsigned char byte = utf8[i];
        if (byte >= 0x80) {
            if (byte > 0xc3) {
                js_free(ctx, bytes);
                bytes = NULL;
                JS_ThrowTypeError(ctx, "a character is no byte");
                break;
            }
            byte = (byte << 6) | (utf8[++i] & 0x3f);
        }
        bytes[at++] = byte;
    }
    JS_FreeCString(ctx, utf8);
    if (!bytes) return NULL;
    bytes[at] = 0;
    *length = at;
    return bytes;
}

/* What the system says about an error, in lower case as a part of a sentence. */
static const char *reason_of(int error, char *buffer, size_t size) {
    snprintf(buffer, size, "%s", strerror(error));
    buffer[0] = tolower(buffer[0]);
    return buffer;
}

static JSValue throw_errno(JSContext *ctx, int error) {
    char reason[128];
    return JS_ThrowPlainError(ctx, "%s", reason_of(error, reason, sizeof reason));
}

/* Throws `<action> <path>: <reason>`, the path being of any length. */
static JSValue throw_path_error(JSContext *ctx, const char *action, const char *path, int error) {
    char reason[128];
    reason_of(error, reason, sizeof reason);
    size_t size = strlen(action) + strlen(path) + strlen(reason) + 4;
    char *message = js_malloc(ctx, size);
    if (!message) return JS_EXCEPTION;
    int length = snprintf(message, size, "%s %s: %s", action, path, reason);
    JSValue thrown = JS_NewError(ctx);
    JS_SetPropertyStr(ctx, thrown, "message", from_bytes(ctx, message, length));
    js_free(ctx, message);
    return JS_Throw(ctx, thrown);
}

/* As to_bytes, for what the kernel takes: a NUL inside would cut it silently. */
static char *to_c_string(JSContext *ctx, JSValueConst value) {
    size_t length;
    char *bytes = to_bytes(ctx, value, &length);
    if (bytes && memchr(bytes, 0, length)) {
        js_free(ctx, bytes);
        throw_errno(ctx, EINVAL);
        return NULL;
    }
    return bytes;
}

static void free_vector(JSContext *ctx, char **vector) {
    if (!vector) return;
    for (char **entry = vector; *entry; entry++) js_free(ctx, *entry);
    js_free(ctx, vector);
}

static char **to_vector(JSContext *ctx, JSValueConst array) {
    int64_t length;
    if (JS_GetLength(ctx, array, &length)) return NULL;
    char **vector = js_mallocz(ctx, (length + 1) * sizeof *vector);
    for (int64_t i = 0; vector && i < length; i++) {
        JSValue entry = JS_GetPropertyInt64(ctx, array, i);
        vector[i] = JS_IsException(entry) ? NULL : to_c_string(ctx, entry);
        JS_FreeValue(ctx, entry);
        if (!vector[i]) {
            free_vector(ctx, vector);
            vector = NULL;
        }
    }
    return vector;
}

static JSValue from_vector(JSContext *ctx, char **vector) {
    JSValue array = JS_NewArray(ctx);
    for (uint32_t i = 0; vector[i]; i++) {
        JS_SetPropertyUint32(ctx, array, i, from_bytes(ctx, vector[i], strlen(vector[i])));
    }
    return array;
}

/* ---- files ---- */

static JSValue host_stat(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char *path = to_c_string(ctx, argv[0]);
    if (!path) return JS_EXCEPTION;
    struct stat stats;
    JSValue kind;
    if (!stat(path, &stats)) kind = JS_NewString(ctx, S_ISDIR(stats.st_mode) ? "directory" : "file");
    else kind = errno == ENOENT ? JS_UNDEFINED : throw_path_error(ctx, "stat", path, errno);
    js_free(ctx, path);
    return kind;
}

static const char *entry_kind(DIR *dir, const struct dirent *entry) {
    struct stat stats;
    switch (entry->d_type) {
    case DT_DIR:
        return "directory";
    case DT_LNK:
        return "symlink";
    case DT_UNKNOWN: /* file systems that do not tell */
        if (fstatat(dirfd(dir), entry->d_name, &stats, AT_SYMLINK_NOFOLLOW)) return NULL;
        return S_ISDIR(stats.st_mode) ? "directory" : S_ISLNK(stats.st_mode) ? "symlink" : "file";
    default:
        return "file";
    }
}

/* The entries of an open directory, incomplete if *error is set. */
static JSValue entries_of(JSContext *ctx, DIR *dir, int *error) {
    JSValue entries = JS_NewArray(ctx);
    uint32_t count = 0;
    const struct dirent *entry;
    while (errno = 0, entry = readdir(dir)) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        const char *kind = entry_kind(dir, entry);
        if (!kind) break;
        JSValue object = JS_NewObject(ctx);
        JS_SetPropertyStr(ctx, object, "name", from_bytes(ctx, name, strlen(name)));
        JS_SetPropertyStr(ctx, object, "kind", JS_NewString(ctx, kind));
        JS_SetPropertyUint32(ctx, entries, count++, object);
    }
    *error = errno;
    return entries;
}

static JSValue host_read_dir(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char *path = to_c_string(ctx, argv[0]);
    if (!path) return JS_EXCEPTION;
    JSValue entries = JS_UNDEFINED;
    int error = 0;
    DIR *dir = opendir(path);
    if (dir) {
        entries = entries_of(ctx, dir, &error);
        closedir(dir);
    } else if (errno != ENOENT) {
        error = errno;
    }
    if (error) {
        JS_FreeValue(ctx, entries);
        entries = throw_path_error(ctx, "open", path, error);
    }
    js_free(ctx, path);
    return entries;
}

/*
 * Reads to the end or until more than `limit` bytes have come, *length then being limit + 1. Returns the bytes, to be
 * freed with js_free, or NULL with errno set.
 */
static char *read_all(JSContext *ctx, int fd, size_t limit, size_t *length) {
    size_t capacity = 4096, at = 0;
    char *bytes = js_malloc(ctx, capacity);
    while (bytes && at <= limit) {
        if (at == capacity) {
            char *grown = js_realloc(ctx, bytes, capacity *= 2);
            if (!grown) js_free(ctx, bytes);
            bytes = grown;
            continue;
        }
        size_t room = capacity - at, wanted = limit + 1 - at;
        ssize_t got = read(fd, bytes + at, room < wanted ? room : wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            js_free(ctx, bytes);
            return NULL;
        }
        if (got == 0) break;
        at += got;
    }
    if (!bytes) errno = ENOMEM;
    *length = at;
    return bytes;
}

static JSValue host_read_file(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char *path = to_c_string(ctx, argv[0]);
    if (!path) return JS_EXCEPTION;
    JSValue content = JS_UNDEFINED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        size_t length;
        char *bytes = read_all(ctx, fd, MAX_FILE_BYTES, &length);
        int error = bytes && length > MAX_FILE_BYTES ? EFBIG : errno;
        close(fd);
        content = bytes && length <= MAX_FILE_BYTES ? from_bytes(ctx, bytes, length)
                                                    : throw_path_error(ctx, "read", path, error);
        js_free(ctx, bytes);
    } else if (errno != ENOENT) {
        content = throw_path_error(ctx, "open", path, errno);
    }
    js_free(ctx, path);
    return content;
}

static JSValue host_why_not_executable(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char *path = to_c_string(ctx, argv[0]);
    if (!path) return JS_EXCEPTION;
    struct stat stats;
    int error = stat(path, &stats) ? errno : S_ISDIR(stats.st_mode) ? EISDIR : 0;
    /* Not faccessat with AT_EACCESS: older container runtimes refuse faccessat2. Nobody starts this set-user-ID. */
    if (!error && access(path, X_OK)) error = errno;
    js_free(ctx, path);
    char reason[128];
    return error ? JS_NewString(ctx, reason_of(error, reason, sizeof reason)) : JS_UNDEFINED;
}

static JSValue host_chdir(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char *path = to_c_string(ctx, argv[0]);
    if (!path) return JS_EXCEPTION;
    JSValue result = chdir(path) ? throw_path_error(ctx, "chdir", path, errno) : JS_UNDEFINED;
    js_free(ctx, path);
    return result;
}

static JSValue host_getcwd(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char path[PATH_MAX];
    return getcwd(path, sizeof path) ? from_bytes(ctx, path, strlen(path)) : throw_errno(ctx, errno);
}

static JSValue host_write(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    size_t length;
    char *bytes = to_bytes(ctx, argv[0], &length);
    if (!bytes) return JS_EXCEPTION;
    for (size_t at = 0; at < length;) {
        ssize_t written = write(STDOUT_FILENO, bytes + at, length - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) break;
        at += written;
    }
    js_free(ctx, bytes);
    return JS_UNDEFINED;
}

/* ---- programs ---- */

static JSValue host_execve(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    char *path = to_c_string(ctx, argv[0]);
    char **arguments = path ? to_vector(ctx, argv[1]) : NULL;
    char **variables = arguments ? to_vector(ctx, argv[2]) : NULL;
    int error = 0;
    if (variables) {
        execve(path, arguments, variables);
        error = errno;
    }
    free_vector(ctx, variables);
    free_vector(ctx, arguments);
    js_free(ctx, path);
    return error ? throw_errno(ctx, error) : JS_EXCEPTION;
}

/* A pipe whose ends lie above the descriptors that a child gets, whatever this process inherited or lacks. */
static int high_pipe(int ends[2]) {
    int low[2];
    if (pipe2(low, O_CLOEXEC)) return -1;
    ends[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 4);
    ends[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 4);
    int error = errno;
    close(low[0]);
    close(low[1]);
    if (ends[0] >= 0 && ends[1] >= 0) return 0;
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
    errno = error;
    return -1;
}

/* Starts a program with `in` as standard input and `out` as descriptor 3; 0 or an errno. */
static int spawn(pid_t *pid, char *path, char **variables, int in, int out) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, out, 3);
    char *arguments[] = {path, NULL};
    if (!error) error = posix_spawn(pid, path, &actions, NULL, arguments, variables);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void describe_status(int status, char *text, size_t size) {
    text[0] = 0;
    if (WIFSIGNALED(status)) {
        int prefix = snprintf(text, size, "signal: ");
        snprintf(text + prefix, size - prefix, "%s", strsignal(WTERMSIG(status)));
        text[prefix] = tolower(text[prefix]);
    } else if (WEXITSTATUS(status)) {
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    }
}

static JSValue run_exec_d(JSContext *ctx, char *path, char **variables, size_t limit) {
    int in[2], out[2];
    /* An empty pipe reads as /dev/null does, and needs no /dev. */
    if (high_pipe(in)) return throw_errno(ctx, errno);
    close(in[1]);
    if (high_pipe(out)) {
        int error = errno;
        close(in[0]);
        return throw_errno(ctx, error);
    }
    pid_t pid;
    int error = spawn(&pid, path, variables, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (error) {
        close(out[0]);
        return throw_path_error(ctx, "fork/exec", path, error);
    }
    size_t length;
    char *output = read_all(ctx, out[0], limit, &length);
    int read_error = errno;
    close(out[0]);
    bool too_much = output && length > limit;
    if (!output || too_much) kill(pid, SIGKILL);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (!output) return throw_errno(ctx, read_error);

    char failure[128];
    if (too_much) snprintf(failure, sizeof failure, "output exceeds %zu bytes", limit);
    else describe_status(status, failure, sizeof failure);
    JSValue result = JS_NewObject(ctx);
    JS_SetPropertyStr(ctx, result, "failure", JS_NewString(ctx, failure));
    JS_SetPropertyStr(ctx, result, "output", from_bytes(ctx, output, too_much ? 0 : length));
    js_free(ctx, output);
    return result;
}

static JSValue host_run_exec_d(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
    int64_t limit;
    if (JS_ToInt64(ctx, &limit, argv[2])) return JS_EXCEPTION;
    char *path = to_c_string(ctx, argv[0]);
    char **variables = path ? to_vector(ctx, argv[1]) : NULL;
    JSValue result = variables ? run_exec_d(ctx, path, variables, limit) : JS_EXCEPTION;
    free_vector(ctx, variables);
    js_free(ctx, path);
    return result;
}

/* ---- start ---- */

static const JSCFunctionListEntry host_functions[] = {
    JS_CFUNC_DEF("stat", 1, host_stat),
    JS_CFUNC_DEF("readDir", 1, host_read_dir),
    JS_CFUNC_DEF("readFile", 1, host_read_file),
    JS_CFUNC_DEF("whyNotExecutable", 1, host_why_not_executable),
    JS_CFUNC_DEF("chdir", 1, host_chdir),
    JS_CFUNC_DEF("getcwd", 0, host_getcwd),
    JS_CFUNC_DEF("write", 1, host_write),
    JS_CFUNC_DEF("execve", 3, host_execve),
    JS_CFUNC_DEF("runExecD", 3, host_run_exec_d),
};

static int fail(const char *reason) {
    dprintf(STDERR_FILENO, "ERROR: failed to launch: %s\n", reason);
    return LAUNCH_ERROR;
}

int main(int argc, char **argv) {
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = runtime ? JS_NewContextRaw(runtime) : NULL;
    if (!ctx || JS_AddIntrinsicBaseObjects(ctx) || JS_AddIntrinsicDate(ctx) || JS_AddIntrinsicRegExp(ctx) ||
        JS_AddIntrinsicJSON(ctx) || JS_AddIntrinsicMapSet(ctx)) {
        return fail("out of memory");
    }

    /* Cycles are not worth looking for in a process that lives for milliseconds; the rest is freed by counting. */
    JS_SetGCThreshold(runtime, -1);

    JSValue host = JS_NewObject(ctx);
    JS_SetPropertyFunctionList(ctx, host, host_functions, sizeof host_functions / sizeof *host_functions);
    JS_SetPropertyStr(ctx, host, "argv", from_vector(ctx, argv));
    JS_SetPropertyStr(ctx, host, "environ", from_vector(ctx, environ));
    JSValue global = JS_GetGlobalObject(ctx);
    JS_SetPropertyStr(ctx, global, "host", host);

    /* The bundle leaves its exit code in the global `exitCode`. Memory is the kernel's to free. */
    JSValue function = JS_ReadObject(ctx, bundle, bundle_size, JS_READ_OBJ_BYTECODE);
    JSValue result = JS_IsException(function) ? function : JS_EvalFunction(ctx, function);
    int32_t code;
    if (JS_IsException(result) || JS_ToInt32(ctx, &code, JS_GetPropertyStr(ctx, global, "exitCode"))) {
        const char *message = JS_ToCString(ctx, JS_GetException(ctx));
        return fail(message ? message : "out of memory");
    }
    return code;
}
