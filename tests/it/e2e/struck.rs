//! Kills a run of the real program at a line of its journal, from outside: it is traced, as by a
//! debugger, and never runs on from the system call that would write the line, or that wrote it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Waits for a word, so that it can be traced before it begins.
const WAITS: &str = "read -r _; exec \"$@\" </dev/null >/dev/null 2>&1";

/// Whether a process that stands in a system call writes to a journal.
fn writes_journal(pid: Pid) -> bool {
    let call = ptrace::getregs(pid).unwrap();
    call.orig_rax == libc::SYS_write as u64
        && fs::read_link(format!("/proc/{pid}/fd/{}", call.rdi))
            .is_ok_and(|file| file.ends_with("journal"))
}

/// Runs a command and kills it before the journal's line of a number is written, or after. Whether
/// it came there.
#[allow(clippy::zombie_processes, reason = "it is waited for by its number")]
pub fn at_journal_line(command: Command, number: usize, after: bool) -> bool {
    let mut child = Command::new("sh")
        .args(["-c", WAITS, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    ptrace::attach(pid).unwrap();
    // The shell's own start may be heard of first.
    while waitpid(pid, None).unwrap() != WaitStatus::Stopped(pid, Signal::SIGSTOP) {
        ptrace::cont(pid, None).unwrap();
    }
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(pid, options).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let (mut lines, mut in_call, mut writes, mut signal) = (0, false, false, None);
    loop {
        ptrace::syscall(pid, signal.take()).unwrap();
        match waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::PtraceSyscall(_) => {
                in_call = !in_call;
                if in_call {
                    writes = writes_journal(pid);
                    lines += usize::from(writes);
                }
                if writes && lines == number && in_call != after {
                    kill(pid, Signal::SIGKILL).unwrap();
                    let end = waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
                    return matches!(end, WaitStatus::Signaled(_, Signal::SIGKILL, _));
                }
            }
            WaitStatus::Stopped(_, heard) => signal = Some(heard),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return false,
            _ => {}
        }
    }
}
