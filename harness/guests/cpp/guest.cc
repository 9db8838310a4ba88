// The guest in C++, against the ABI itself: version 0.2.1, with no SDK between.
//
// Built thrice. `cpp` stands on nothing: it imports only what Proxy-Wasm has, and brings its own memory. `cpp-wasi` and
// `cpp-emscripten` have a C library, and log on standard output, which a host has to carry to its log.
#include <stddef.h>
#include <stdint.h>

#if defined(__EMSCRIPTEN__)
#define LANGUAGE "cpp-emscripten"
#elif defined(__wasi__)
#define LANGUAGE "cpp-wasi"
#else
#define LANGUAGE "cpp"
#define FREESTANDING
#endif
#ifndef FREESTANDING
#include <stdio.h>
#include <stdlib.h>
#endif

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) extern "C" uint32_t name
#define EXPORT(name) __attribute__((export_name(#name))) extern "C"

enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { PLUGIN_CONFIGURATION = 7 };
enum { INFO = 2 };
enum { CONTINUE = 0, PAUSE = 1 };
enum { OK = 0 };

IMPORT(proxy_log)(uint32_t level, const char *text, size_t size);
IMPORT(proxy_get_buffer_bytes)(uint32_t buffer, size_t start, size_t most, char **bytes, size_t *size);
IMPORT(proxy_get_header_map_value)(uint32_t map, const char *key, size_t key_size, char **value, size_t *size);
IMPORT(proxy_add_header_map_value)(uint32_t map, const char *key, size_t key_size, const char *value, size_t size);
IMPORT(proxy_replace_header_map_value)(uint32_t map, const char *key, size_t key_size, const char *value, size_t size);
IMPORT(proxy_send_local_response)(uint32_t status, const char *details, size_t details_size, const char *body,
                                  size_t body_size, const char *headers, size_t headers_size, uint32_t grpc_status);

#ifndef FREESTANDING
// The C library's, exported so that the host can use it.
EXPORT(proxy_on_memory_allocate) void *proxy_on_memory_allocate(size_t size) { return malloc(size); }
#else
// One block is given out at a time after another and none is taken back: enough for a test.
extern "C" char __heap_base;
static char *next_free = &__heap_base;

EXPORT(malloc) void *malloc(size_t size) {
    constexpr size_t PAGE = 65536;
    char *block = next_free;
    next_free += (size + 15) & ~size_t{15};
    size_t end = reinterpret_cast<size_t>(next_free), have = __builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == SIZE_MAX) __builtin_trap();
    return block;
}
static void free(void *) {}
#endif

// Bytes that the guest owns once the host has written them, or that stand in the module.
struct Text {
    const char *bytes = nullptr;
    size_t size = 0;

    Text() = default;
    template <size_t N> Text(const char (&literal)[N]) : bytes(literal), size(N - 1) {}

    bool operator==(Text other) const {
        if (size != other.size) return false;
        for (size_t i = 0; i < size; i++)
            if (bytes[i] != other.bytes[i]) return false;
        return true;
    }
};

static void info(Text clause, Text value = {}) {
#ifndef FREESTANDING
    printf("%.*s%.*s\n", int(clause.size), clause.bytes, int(value.size), value.bytes);
    fflush(stdout);
#else
    const Text parts[] = {clause, value};
    char line[256];
    size_t size = 0;
    for (Text part : parts)
        for (size_t i = 0; i < part.size && size < sizeof line; i++) line[size++] = part.bytes[i];
    proxy_log(INFO, line, size);
#endif
}

static bool request_header(Text key, Text &value) {
    return proxy_get_header_map_value(REQUEST_HEADERS, key.bytes, key.size, const_cast<char **>(&value.bytes),
                                      &value.size) == OK;
}

EXPORT(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1() {}

EXPORT(proxy_on_context_create) void proxy_on_context_create(uint32_t, uint32_t) {}

EXPORT(proxy_on_vm_start) uint32_t proxy_on_vm_start(uint32_t, uint32_t) { return true; }

EXPORT(proxy_on_configure) uint32_t proxy_on_configure(uint32_t, uint32_t size) {
    Text configuration;
    proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, const_cast<char **>(&configuration.bytes),
                           &configuration.size);
    info("configured: ", configuration);
    free(const_cast<char *>(configuration.bytes));
    return true;
}

EXPORT(proxy_on_request_headers) uint32_t proxy_on_request_headers(uint32_t, uint32_t, uint32_t) {
    Text key = "x-guest", language = LANGUAGE, name, path;
    bool named = request_header("x-name", name), answer = request_header(":path", path) && path == "/reply";
    proxy_add_header_map_value(REQUEST_HEADERS, key.bytes, key.size, language.bytes, language.size);
    info("hello ", named ? name : "nobody");
    free(const_cast<char *>(name.bytes));
    free(const_cast<char *>(path.bytes));
    if (!answer) return CONTINUE;
    Text body = "denied by " LANGUAGE;
    proxy_send_local_response(403, nullptr, 0, body.bytes, body.size, nullptr, 0, uint32_t(-1));
    return PAUSE;
}

EXPORT(proxy_on_response_headers) uint32_t proxy_on_response_headers(uint32_t, uint32_t, uint32_t) {
    Text key = "x-guest", language = LANGUAGE;
    proxy_replace_header_map_value(RESPONSE_HEADERS, key.bytes, key.size, language.bytes, language.size);
    return CONTINUE;
}

EXPORT(proxy_on_log) void proxy_on_log(uint32_t) { info("log"); }
