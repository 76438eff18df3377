//! The largest MTU that a device's driver takes. No file shows it: it is asked by rtnetlink
//! (`IFLA_MAX_MTU`, Linux 4.19), and unknown on older kernels and under any root but `/`.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};

// include/uapi/linux/netlink.h, rtnetlink.h, if_link.h
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const REQUEST_DUMP: u16 = 0x301;
const IFLA_IFNAME: u16 = 3;
const IFLA_MAX_MTU: u16 = 51;
/// `struct nlmsghdr`, and `struct ifinfomsg` behind it.
const HEADER: usize = 16;

/// The limits by device; a device without one, or on a kernel that does not say, is not in it.
pub(super) fn max_mtus() -> BTreeMap<String, u32> {
    dump().unwrap_or_default()
}

fn dump() -> nix::Result<BTreeMap<String, u32>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    setsockopt(&kernel, ReceiveTimeout, &TimeVal::seconds(2))?;
    let mut request = [0_u8; 2 * HEADER];
    request[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    send(kernel.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut found = BTreeMap::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = recv(kernel.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if length == 0 || !read(&buffer[..length], &mut found) {
            return Ok(found);
        }
    }
}

/// Reads the messages of one packet; whether more are to come.
fn read(mut packet: &[u8], found: &mut BTreeMap<String, u32>) -> bool {
    while let Some((kind, message, rest)) = part::<4>(packet) {
        packet = rest;
        match kind {
            NLMSG_DONE | NLMSG_ERROR => return false,
            RTM_NEWLINK => link(message.get(2 * HEADER..).unwrap_or_default(), found),
            _ => {}
        }
    }
    true
}

fn link(mut attributes: &[u8], found: &mut BTreeMap<String, u32>) {
    let (mut name, mut mtu) = (None, None);
    while let Some((kind, attribute, rest)) = part::<2>(attributes) {
        attributes = rest;
        let value = &attribute[4..];
        match kind {
            IFLA_IFNAME => {
                let text = value.split(|b| *b == 0).next().unwrap_or_default();
                name = Some(String::from_utf8_lossy(text).into_owned());
            }
            IFLA_MAX_MTU => mtu = value.try_into().ok().map(u32::from_ne_bytes),
            _ => {}
        }
    }
    // 0 is no limit.
    if let (Some(name), Some(mtu)) = (name, mtu.filter(|mtu| *mtu > 0)) {
        found.insert(name, mtu);
    }
}

/// The first message or attribute: its type, itself, and what follows at the next multiple of 4.
/// `N` is how many bytes its length has, which comes first and counts all of it.
fn part<const N: usize>(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let short = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let length = match N {
        2 => u32::from(short(0)?),
        _ => u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?),
    };
    let whole = bytes.get(..usize::try_from(length).ok()?).filter(|all| all.len() >= 4)?;
    let next = whole.len().next_multiple_of(4).min(bytes.len());
    Some((short(N)?, whole, &bytes[next..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let body = attributes.concat();
        let mut bytes = u32::try_from(32 + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(32, 0);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_packet_of_links_is_read() {
        let limit = |mtu: u32| attribute(IFLA_MAX_MTU, &mtu.to_ne_bytes());
        let name = |text: &str| attribute(IFLA_IFNAME, format!("{text}\0").as_bytes());
        let mut packet = message(RTM_NEWLINK, &[name("eth2"), attribute(4, &[0; 4]), limit(9710)]);
        packet.extend(message(RTM_NEWLINK, &[name("dummy0"), limit(0)]));
        packet.extend(message(RTM_NEWLINK, &[name("old")]));
        let mut found = BTreeMap::new();
        assert!(read(&packet, &mut found));
        assert_eq!(found, BTreeMap::from([("eth2".to_string(), 9710)]));
        assert!(!read(&message(NLMSG_DONE, &[]), &mut found));
        for cut in 0..packet.len() {
            let _ = read(&packet[..cut], &mut BTreeMap::new());
        }
    }

    #[test]
    fn this_kernel_answers() {
        // Where sockets are forbidden nothing is known, which is no error.
        assert!(max_mtus().values().all(|mtu| *mtu > 0));
    }
}
