/*
 * What the kernel starts in place of the dynamic loader when an executable of the archive runs. It takes out of the
 * environment what would make the loader or the runtime load code of the image's, or fail (an image that preloads a
 * library for its application is common, and that library may need another libc than ours), then maps the real loader
 * and jumps to it. Nothing else changes: same process, same /proc/self/exe, same arguments.
 *
 * Linked without any library, and without relocations, since nothing would apply them.
 */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096UL
#define FAILED 127

__attribute__((naked, noreturn, used)) void _start(void) {
  __asm__("mov %rsp, %rdi\n"
          "mov %rsp, %rbx\n"
          "and $-16, %rsp\n"
          "call enter\n"
          "mov %rbx, %rsp\n"
          "xor %edx, %edx\n"
          "jmp *%rax\n");
}

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static _Noreturn void fail(void) {
  static const char message[] = "ERROR: failed to load " LOADER ": the lifecycle's archive holds it\n";
  call(SYS_write, 2, (long)message, sizeof message - 1, 0, 0, 0);
  for (;;) call(SYS_exit_group, FAILED, 0, 0, 0, 0, 0);
}

static int starts_with(const char *text, const char *prefix) {
  while (*prefix != '\0') {
    if (*text++ != *prefix++) return 0;
  }
  return 1;
}

static int is_unwanted(const char *variable) {
  if (starts_with(variable, "LD_")) return !starts_with(variable, "LD_LIBRARY_PATH=");
  return starts_with(variable, "BUN_JSC_") || starts_with(variable, "GLIBC_TUNABLES=");
}

static char *map(char *at, size_t size, int protection, int flags, int file, long offset) {
  long mapped = call(SYS_mmap, (long)at, (long)size, protection, MAP_PRIVATE | flags, file, offset);
  if (mapped < 0 && mapped > -4096) fail();
  return (char *)mapped;
}

static int protection_of(const Elf64_Phdr *segment) {
  return ((segment->p_flags & PF_R) ? PROT_READ : 0) | ((segment->p_flags & PF_W) ? PROT_WRITE : 0) |
         ((segment->p_flags & PF_X) ? PROT_EXEC : 0);
}

static unsigned long page_of(unsigned long address) { return address & ~(PAGE - 1); }
static unsigned long pages_to(unsigned long address) { return page_of(address + PAGE - 1); }

/* Maps one segment of the file, and zeros where memory goes on after the file's bytes. */
static void map_segment(char *base, const Elf64_Phdr *segment, int file) {
  int protection = protection_of(segment);
  unsigned long start = page_of(segment->p_vaddr);
  unsigned long bytes_end = segment->p_vaddr + segment->p_filesz;
  unsigned long file_end = pages_to(bytes_end);
  unsigned long end = pages_to(segment->p_vaddr + segment->p_memsz);
  map(base + start, bytes_end - start, protection, MAP_FIXED, file, (long)page_of(segment->p_offset));
  if (segment->p_memsz > segment->p_filesz) {
    for (volatile char *byte = base + bytes_end; byte < base + file_end; byte++) *byte = 0;
  }
  if (end > file_end) map(base + file_end, end - file_end, protection, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

/* Maps the real loader; returns where, and its entry point in *entry. */
static char *map_loader(char **entry) {
  union {
    Elf64_Ehdr header;
    char bytes[PAGE];
  } start;
  long file = call(SYS_openat, AT_FDCWD, (long)LOADER, O_RDONLY | O_CLOEXEC, 0, 0, 0);
  if (file < 0) fail();
  long size = call(SYS_pread64, file, (long)&start, sizeof start, 0, 0, 0);
  const Elf64_Ehdr *header = &start.header;
  if (size < (long)sizeof *header || header->e_type != ET_DYN || header->e_phentsize != sizeof(Elf64_Phdr) ||
      header->e_phoff + header->e_phnum * sizeof(Elf64_Phdr) > (unsigned long)size) {
    fail();
  }
  const Elf64_Phdr *segments = (const Elf64_Phdr *)(start.bytes + header->e_phoff);
  unsigned long end = 0;
  for (int i = 0; i < header->e_phnum; i++) {
    unsigned long segment_end = segments[i].p_vaddr + segments[i].p_memsz;
    if (segments[i].p_type == PT_LOAD && segment_end > end) end = segment_end;
  }
  char *base = map(NULL, pages_to(end), PROT_NONE, MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD) map_segment(base, &segments[i], (int)file);
  }
  call(SYS_close, file, 0, 0, 0, 0, 0);
  *entry = base + header->e_entry;
  return base;
}

/* Takes the stack as the kernel made it: argc, arguments, environment, auxiliary vector. Returns where to go on. */
__attribute__((used, visibility("hidden"))) char *enter(long *stack) {
  char *entry;
  char *base = map_loader(&entry);
  char **from = (char **)(stack + 1 + stack[0] + 1);
  char **to = from;
  for (; *from != NULL; from++) {
    if (!is_unwanted(*from)) *to++ = *from;
  }
  *to++ = *from++;
  Elf64_auxv_t *kept = (Elf64_auxv_t *)to;
  for (const Elf64_auxv_t *given = (const Elf64_auxv_t *)from;; given++) {
    *kept = *given;
    if (kept->a_type == AT_BASE) kept->a_un.a_val = (unsigned long)base;
    if (kept->a_type == AT_NULL) return entry;
    kept++;
  }
}
