//! Every finding that there is: code, severity, meaning, remedy. The one place where they stand.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It would cut storage, management or VMs, or cannot work: never goes on.
    Error,
    /// A person may accept it by its code.
    Warning,
    /// Good to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

macro_rules! findings {
    ($($variant:ident $code:literal $severity:ident $meaning:literal $remedy:literal;)+) => {
        /// What can be found. Codes are stable: `--accept` and scripts name them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $code)] $variant,)+
        }
        impl Code {
            /// Every code, worst first.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// As it is printed and accepted.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
            /// How much it weighs.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }
            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
            /// What to do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

findings! {
    NotRoot "not-root" Error "the program does not run as root" "log in as root and run it again";
    NotADom0 "not-a-dom0" Error "this is no XenServer or XCP-ng control domain" "run it on the host itself, in dom0";
    XapiUnreachable "xapi-unreachable" Error "XAPI does not answer, or is still starting" "xe host-list; then: systemctl status xapi, or service xapi status";
    HostNotFound "host-not-found" Error "XAPI knows no host with this dom0's INSTALLATION_UUID" "compare /etc/xensource-inventory with: xe host-list params=uuid,name-label";
    TransactionOpen "transaction-open" Error "another change of this host has not come to its end" "xenbond resume, or xenbond rollback";
    NoBootScripts "no-boot-scripts" Error "ifup and ifdown are missing: the release has no network-scripts" "this release cannot be served";
    NoBridgeBackend "no-bridge-backend" Error "the host must change to the bridge backend and has no switch script" "releases from XenServer 9 on have no bridge backend";
    NetworkConfMissing "network-conf-missing" Error "/etc/xensource/network.conf is missing, and the switch script stops half-way without it" "write the running backend's word into it";
    NetworkConfVswitch "network-conf-vswitch" Error "network.conf holds the old word `vswitch`, and the switch script then does the opposite of what it is asked" "echo openvswitch > /etc/xensource/network.conf";
    BridgeBlacklisted "bridge-blacklisted" Error "the bridge module is kept from loading, so a host on the bridge backend has no network" "remove the line `install bridge ...` or `blacklist bridge`";
    NothingBringsItUp "nothing-brings-it-up" Error "the network service is off on a SysV host, so nothing would bring the bond up at boot" "chkconfig network on";
    NicMissing "nic-missing" Error "a NIC is not on this host" "ls /sys/class/net";
    NicNamedTwice "nic-named-twice" Error "two names of the spec are the same NIC" "name each NIC once";
    NicNotPhysical "nic-not-physical" Error "a device is no NIC that XAPI knows as physical" "xe pif-list physical=true params=device,MAC,VLAN";
    NicIsManagement "nic-is-management" Error "a NIC carries the management of this host" "choose another NIC, or move management first";
    NicInManagedBond "nic-in-managed-bond" Error "a NIC is a slave of a bond that XAPI manages" "xe bond-list; xe bond-destroy uuid=...";
    NicInOtherBond "nic-in-other-bond" Error "a NIC is a slave of another bond of the kernel" "take it out of that bond first";
    NicHasVlans "nic-has-vlans" Error "VLANs lie on a NIC" "xe vlan-list; xe vlan-destroy uuid=...";
    NicHasTunnels "nic-has-tunnels" Error "a tunnel or SR-IOV network lies on a NIC" "xe tunnel-list; xe network-sriov-list";
    NicHasVifs "nic-has-vifs" Error "running VMs use a NIC's network and would lose it" "move their VIFs to another network, or shut them down";
    NicHasIp "nic-has-ip" Error "a NIC carries an address of this host" "xe pif-reconfigure-ip uuid=... mode=none";
    NicDisallowsUnplug "nic-disallows-unplug" Error "a NIC's PIF is marked as not to be unplugged" "xe pif-param-set uuid=... disallow-unplug=false";
    NicMacMismatch "nic-mac-mismatch" Error "XAPI and the kernel disagree about a NIC's MAC address" "xe pif-scan host-uuid=... if the NIC was replaced";
    PifUnreadable "pif-unreadable" Error "a PIF's settings cannot be read exactly, so they could not be restored" "xe pif-param-list uuid=...; remove the key that is named";
    PifUnmanagedUnsupported "pif-unmanaged-unsupported" Error "this XAPI has no unmanaged PIFs" "leave out --pif, or give --pif forget";
    PrimaryNotSlave "primary-not-slave" Error "the primary is no slave of the bond" "name one of the bond's NICs, by device";
    BondNameReserved "bond-name-reserved" Error "the name is one that XAPI gives to its own bonds" "use a name like bond51";
    BondNameTaken "bond-name-taken" Error "the kernel has a device of that name, and it is not ours" "choose another name";
    BondNameScript "bond-name-script" Error "the boot scripts treat devices of that name as something else than Ethernet" "use a name like bond51";
    FileNotPlain "file-not-plain" Error "a file that must be written is a link or no plain file" "replace it by a plain file";
    MasterNamedElsewhere "master-named-elsewhere" Error "another ifcfg file makes its device a slave of this bond" "remove its MASTER line, or the file";
    AddressTaken "address-taken" Error "the address is already configured on this host" "choose another address";
    SubnetOverlap "subnet-overlap" Error "the address's subnet overlaps an address or route of this host" "give storage a subnet of its own";
    ModeUnknown "mode-unknown" Error "the bonding driver of this host does not have the mode" "use --mode active-backup";
    VmsRunning "vms-running" Warning "VMs run here, and the host must be rebooted" "xe host-disable; xe host-evacuate";
    BackendKept "backend-kept" Warning "the backend is to stay what it is, and it is not bridge: the bonding driver may not load" "leave out --backend keep";
    BondFileExists "bond-file-exists" Warning "there is a configuration file for a bond of that name, and it is not ours" "look at it; it is saved, and put back by rollback";
    NicNoLink "nic-no-link" Warning "a NIC has no link" "check cable and switch port";
    NicFileExists "nic-file-exists" Note "there is a configuration file for a NIC" "it is saved, and put back by rollback";
    BackendDiffers "backend-differs" Note "the running backend is not the one set for the next boot" "a reboot makes them the same";
    SwitchSetup "switch-setup" Note "the mode needs the switch to be set for it" "see the sentence";
    SlbBehaviour "slb-behaviour" Note "mode 7 does not balance dom0's own traffic, and says nothing to the switch when it fails over" "use --mode active-backup";
    SpeedsDiffer "speeds-differ" Warning "the NICs' links differ in speed or duplex" "use equal NICs and ports";
    DriversDiffer "drivers-differ" Note "the NICs have different drivers" "good against a driver's fault; offloads may differ";
    AlertsLost "alerts-lost" Note "XAPI sends no alerts about a bond that it does not manage" "run xenbond verify from cron";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that the operator must know before anything moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence, with the values in it.
    pub message: String,
    /// What to type or do.
    pub hint: String,
}

impl Finding {
    /// A finding with its usual remedy.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            hint: code.remedy().into(),
        }
    }

    /// The same with a remedy that has the values in it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:<7} {}: {}\n          {}", self.severity, self.code, self.message, self.hint)
    }
}

/// The findings that bar the way: errors, and warnings that nobody accepted.
#[must_use]
pub fn barring<'a>(findings: &'a [Finding], accepted: &[String]) -> Vec<&'a Finding> {
    findings
        .iter()
        .filter(|f| match f.severity {
            Severity::Error => true,
            Severity::Warning => !accepted.iter().any(|code| code == f.code.name()),
            Severity::Note => false,
        })
        .collect()
}
