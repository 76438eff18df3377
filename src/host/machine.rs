//! What no file and no program tells: the machine's own answers by system calls, and the process
//! that this program is.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrStorage, connect, setsockopt, socket,
    sockopt,
};
use nix::unistd::Pid;

use super::Host;

/// An IPv4 address of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAddress {
    /// The device.
    pub device: String,
    /// Its address.
    pub addr: Ipv4Addr,
    /// The netmask.
    pub mask: Ipv4Addr,
}

impl Host {
    /// Whether the program may change this host: only root may change the machine that it runs on.
    #[must_use]
    pub fn may_change(&self) -> bool {
        self.runner.may_change()
    }

    /// The IPv4 addresses that the kernel itself tells; `None` where its files are all there is.
    #[must_use]
    pub fn own_addresses(&self) -> Option<Vec<OwnAddress>> {
        self.runner.own_addresses()
    }

    /// The largest MTU that each device's driver takes, where it tells.
    #[must_use]
    pub fn max_mtus(&self) -> std::collections::BTreeMap<String, u32> {
        self.runner.max_mtus()
    }

    /// Opens a TCP connection and closes it, out by `device` where one is named, whatever the
    /// routes say: why not, when it cannot. `None` where no socket is used.
    #[must_use]
    pub fn connect(
        &self,
        to: SocketAddrV4,
        device: Option<&str>,
        limit: Duration,
    ) -> Option<Result<(), String>> {
        self.runner.connect(to, device, limit)
    }

    /// Bytes that may still be written where the folder lies; `None`: not to be told.
    #[must_use]
    pub fn free_space(&self, folder: &str) -> Option<u64> {
        let space = nix::sys::statvfs::statvfs(&self.real_path(folder)).ok()?;
        Some(space.blocks_free() * space.fragment_size())
    }

    /// Whether a process of this number lives; one that may not be asked does.
    #[must_use]
    pub fn lives(&self, pid: u32) -> bool {
        let Ok(pid) = i32::try_from(pid) else { return false };
        nix::sys::signal::kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
    }
}

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The name of whoever runs this process.
#[must_use]
pub fn user() -> String {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

/// Makes this process the leader of a session of its own, so that it outlives that of its caller.
pub fn own_session() {
    // A leader of its group has a session of its own already.
    let _ = nix::unistd::setsid();
}

/// Frees this process of what its caller left to it and its children would have too: SIGCHLD that
/// is ignored, with which no child's end could be learnt, and open files. `named`: the words of the
/// command line, of which a `/dev/fd/N` is still to be read.
pub fn alone(named: &[OsString]) {
    use signal_hook::consts::SIGCHLD;
    // A handler that does nothing: what is handled is not ignored, and no child inherits it.
    let _ = signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)));
    let meant = |fd: i32| {
        let ends = [format!("/dev/fd/{fd}"), format!("/proc/self/fd/{fd}")];
        named.iter().any(|word| ends.iter().any(|end| word.to_string_lossy().ends_with(end)))
    };
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2 && !meant(*fd)) {
        // The folder that was read is closed already.
        let _ = nix::unistd::close(fd);
    }
}

/// The addresses of this machine.
pub(super) fn addresses() -> Option<Vec<OwnAddress>> {
    let v4 = |a: &SockaddrStorage| a.as_sockaddr_in().map(|a| a.ip());
    let all = nix::ifaddrs::getifaddrs().ok()?;
    let own = all.filter_map(|one| {
        let addr = one.address.as_ref().and_then(v4)?;
        let mask = one.netmask.as_ref().and_then(v4)?;
        Some(OwnAddress { device: one.interface_name, addr, mask })
    });
    Some(own.collect())
}

/// A connection of this machine.
pub(super) fn open(to: SocketAddrV4, device: Option<&str>, limit: Duration) -> Result<(), String> {
    match device {
        None => match TcpStream::connect_timeout(&SocketAddr::V4(to), limit) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        Some(device) => open_through(device, to, limit).map_err(|e| e.desc().to_string()),
    }
}

fn open_through(device: &str, to: SocketAddrV4, limit: Duration) -> nix::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::BindToDevice, &device.into())?;
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(3);
    // It limits the time of a connect too, socket(7).
    setsockopt(&socket, sockopt::SendTimeout, &nix::sys::time::TimeVal::new(seconds, 0))?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(to))
}

/// Whether the root is that of the machine that this program runs on.
pub(super) fn is_own(root: &Path) -> bool {
    root == Path::new("/")
}
