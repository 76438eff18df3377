/* Asks this machine what User-Mode Linux will ask of it: does PTRACE_SETREGSET take LENGTH bytes of
 * a process's registers (NT_X86_XSTATE)?
 *
 *   ask LENGTH     prints the length of the whole state and of what was given;
 *                  status 0: taken, and what is read back is what was given; 1: refused; 2: other
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* In an XSAVE area, the header's bits that say which parts are in use follow 512 bytes of FXSAVE,
 * whose first XMM register is at 160. */
#define XMM 160

static char given[1 << 16], after[1 << 16];

static int fails(const char *what)
{
	perror(what);
	return 2;
}

int main(int argc, char **argv)
{
	size_t length = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct iovec whole = {given, sizeof given}, part = {given, length}, again = {after, sizeof after};
	int status = 2, error;
	pid_t child;

	if (length <= 576 || length > sizeof given) {
		fprintf(stderr, "usage: %s LENGTH\n", argv[0]);
		return 2;
	}
	child = fork();
	if (child < 0)
		return fails("fork");
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(child, NULL, 0) < 0)
		return fails("waitpid");
	if (ptrace(PTRACE_GETREGSET, child, (void *)NT_X86_XSTATE, &whole) < 0) {
		status = fails("PTRACE_GETREGSET");
		goto end;
	}
	printf("%zu bytes, %zu given\n", whole.iov_len, length);
	given[512] |= 2; /* the SSE part is in use: its registers are not taken for zero */
	memcpy(given + XMM, "registers of 16B", 16);
	if (ptrace(PTRACE_SETREGSET, child, (void *)NT_X86_XSTATE, &part) < 0) {
		error = errno;
		status = error == EFAULT ? 1 : fails("PTRACE_SETREGSET");
		goto end;
	}
	if (ptrace(PTRACE_GETREGSET, child, (void *)NT_X86_XSTATE, &again) < 0) {
		status = fails("PTRACE_GETREGSET");
		goto end;
	}
	if (length > whole.iov_len)
		length = whole.iov_len;
	if (again.iov_len != whole.iov_len || memcmp(given, after, length) != 0)
		fprintf(stderr, "what was read back is not what was given\n");
	else
		status = 0;
end:
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return status;
}
