/* Preloaded into User-Mode Linux on a CPU whose register state is longer than the buffer that it
 * has for one. From Linux 5.16 on PTRACE_SETREGSET takes the whole state or nothing (EFAULT,
 * kernel arch/x86/kernel/fpu/regset.c, xstateregs_set), and UML 6.1 gives 2696 bytes (kernel
 * arch/x86/um/user-offsets.c, HOST_FP_SIZE): all parts that there were before AMX. Reading is no
 * trouble: the kernel cuts what it gives.
 *
 * What was refused is given once more, followed by zeros to the length that the kernel wants. What
 * lies there is AMX's alone; no process of a guest ever asks to be allowed to use that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Not on the stack: UML's kernel stacks are small. It has one thread that traces. */
static char state[1 << 16] __attribute__((aligned(64)));
static size_t whole; /* 0 until something was refused */

static long (*real)(int request, pid_t pid, void *addr, void *data);

__attribute__((constructor)) static void find(void)
{
	*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list list;
	struct iovec *given, padded = {state, sizeof state};
	void *addr, *data;
	long answer;
	pid_t pid;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	addr = va_arg(list, void *);
	data = va_arg(list, void *);
	va_end(list);
	given = data;
	if (request != PTRACE_SETREGSET || (long)addr != NT_X86_XSTATE)
		return real(request, pid, addr, data);
	if (!whole) {
		answer = real(request, pid, addr, data);
		if (answer == 0 || errno != EFAULT)
			return answer;
		if (real(PTRACE_GETREGSET, pid, addr, &padded) < 0)
			return -1;
		if (given->iov_len >= padded.iov_len) { /* refused for another reason */
			errno = EFAULT;
			return -1;
		}
		whole = padded.iov_len;
		memset(state, 0, sizeof state);
	}
	if (given->iov_len >= whole)
		return real(request, pid, addr, data);
	memcpy(state, given->iov_base, given->iov_len);
	memset(state + given->iov_len, 0, whole - given->iov_len);
	padded.iov_len = whole;
	return real(request, pid, addr, &padded);
}
