//! The model against the facts: each trap of a dom0 at least once.

mod bonds;
mod boot;
mod driver;
mod ifup;
mod releases;
mod stores;
mod vlan;
mod xe;

use std::time::Duration;

use super::Model;
use super::state::Flavour;
use crate::dom0::Dom0;
use crate::host::{Clock, Status};

impl Dom0 {
    /// Runs a command line; its status, stdout and stderr.
    fn run(&self, line: &str) -> (i32, String, String) {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        let output = self.model.execute(&words[0], &words[1..]);
        let status = match output.status {
            Status::Exited(code) => code,
            Status::Signalled(_) | Status::TimedOut => -1,
        };
        (status, output.text(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The same for a command that must exit with 0; its stdout.
    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let (status, out, err) = self.run(line);
        assert_eq!(status, 0, "{line}: {out}{err}");
        out
    }

    /// The same for one that must exit with 1; its stderr.
    #[track_caller]
    fn bad(&self, line: &str) -> String {
        let (status, out, err) = self.run(line);
        assert_eq!(status, 1, "{line}: {out}{err}");
        err
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_default()
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.root().join(path), text).expect("a writable root");
    }

    fn exists(&self, path: &str) -> bool {
        self.root().join(path).symlink_metadata().is_ok()
    }

    fn sysfs(&self, path: &str) -> String {
        self.read(&format!("sys/class/net/{path}")).trim().to_string()
    }

    fn ifcfg(&self, name: &str, text: &str) {
        self.write(&format!("etc/sysconfig/network-scripts/ifcfg-{name}"), text);
    }

    fn wait(&self, seconds: u64) {
        self.model.pause(Duration::from_secs(seconds));
    }

    fn pif(&self, device: &str) -> String {
        let me = &self.model.state().pool.hosts["xen01"].uuid;
        let list =
            self.ok(&format!("xe pif-list host-uuid={me} device={device} VLAN=-1 --minimal"));
        list.trim().to_string()
    }

    fn link(&self, nic: &str, good: bool) {
        self.model.change(|s| s.dom0.nics.get_mut(nic).expect("a NIC").link = good);
    }

    /// Forgets the PIFs of eth2 and eth3 and writes the files of bond51.
    fn prepared(&self, opts: &str) {
        for nic in ["eth2", "eth3"] {
            self.ok(&format!("xe pif-forget uuid={}", self.pif(nic)));
            self.ifcfg(nic, &format!("DEVICE={nic}\nONBOOT=yes\nMASTER=bond51\nSLAVE=yes\n"));
        }
        let rest = "IPADDR=172.16.51.11\nNETMASK=255.255.255.0\nNOZEROCONF=yes\nONBOOT=yes\n";
        self.ifcfg("bond51", &format!("DEVICE=bond51\n{rest}BONDING_OPTS=\"{opts}\"\n"));
    }
}

const BOTH: [Flavour; 2] = [Flavour::El5, Flavour::El7];
