/* Preloaded, it makes this machine's registers 8256 bytes longer, as AMX does, so that what is made
 * for such CPUs can be tested on others: PTRACE_GETREGSET gives that many zeros more, and
 * PTRACE_SETREGSET refuses what is shorter, in the kernel's own way. With SPY set it says on
 * stderr what length it was given. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define MORE (64 + 8192)

static char state[1 << 16] __attribute__((aligned(64)));
static long (*real)(int request, pid_t pid, void *addr, void *data);

__attribute__((constructor)) static void find(void)
{
	*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list list;
	struct iovec *given, own = {state, sizeof state - MORE};
	void *addr, *data;
	size_t length;
	pid_t pid;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	addr = va_arg(list, void *);
	data = va_arg(list, void *);
	va_end(list);
	given = data;
	if ((request != PTRACE_GETREGSET && request != PTRACE_SETREGSET) || (long)addr != NT_X86_XSTATE)
		return real(request, pid, addr, data);
	if (real(PTRACE_GETREGSET, pid, addr, &own) < 0)
		return -1;
	length = own.iov_len + MORE;
	if (length > given->iov_len)
		length = given->iov_len;
	if (request == PTRACE_GETREGSET) {
		memset(state + own.iov_len, 0, MORE);
		memcpy(given->iov_base, state, length);
		given->iov_len = length;
		return 0;
	}
	if (getenv("SPY"))
		fprintf(stderr, "given %zu\n", given->iov_len);
	if (length < own.iov_len + MORE) {
		errno = EFAULT;
		return -1;
	}
	own.iov_base = given->iov_base;
	return real(request, pid, addr, &own);
}
