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
    NotADom0 "not-a-dom0" Error "this is not a XenServer or XCP-ng control domain" "run it on the host itself, in dom0";
    XapiUnreachable "xapi-unreachable" Error "XAPI does not answer, or is still starting" "xe host-list; then: systemctl status xapi, or service xapi status";
    PoolMasterUnreachable "pool-master-unreachable" Error "XAPI of this pool member does not answer, which needs the pool's master for every call" "is the master up, and reached from here? On both: xe host-list";
    HostNotFound "host-not-found" Error "XAPI knows no host with this dom0's INSTALLATION_UUID" "compare /etc/xensource-inventory with: xe host-list params=uuid,name-label";
    TransactionOpen "transaction-open" Error "another change of this host has not come to its end" "xenbond resume, or xenbond rollback";
    AnotherRun "another-run" Error "another xenbond is changing this host now" "wait for it to end; xenbond status";
    CannotWrite "cannot-write" Error "a folder that must be written lies on a read-only file system" "mount -o remount,rw /";
    NoSpace "no-space" Error "a file system that must be written has no room" "df -h";
    NoBootScripts "no-boot-scripts" Error "ifup and ifdown are missing: the release has no network-scripts" "this release cannot be served";
    NoBridgeBackend "no-bridge-backend" Error "the host must change to the bridge backend and has no switch script" "releases from XenServer 9 on have no bridge backend";
    BondsNeedOpenvswitch "bonds-need-openvswitch" Error "the backend must change, and a managed bond of this host has more than two NICs or speaks LACP" "make it a bond of two NICs without LACP, or leave this host on Open vSwitch";
    TunnelsNeedOpenvswitch "tunnels-need-openvswitch" Error "the backend must change, and this host has private networks over tunnels" "xe tunnel-list; remove them, or leave this host on Open vSwitch";
    HaEnabled "ha-enabled" Error "the pool's high availability is on, and XAPI then neither unplugs nor forgets a PIF, nor changes its address" "xe pool-ha-disable; enable it again afterwards";
    RedoLogEnabled "redo-log-enabled" Error "the pool's redo log is on, and XAPI then neither unplugs nor forgets a PIF, nor changes its address" "xe pool-disable-redo-log; enable it again afterwards";
    NetworkResetPending "network-reset-pending" Error "XAPI is to set up the network anew at its next start, and takes every NIC then" "xe-toolstack-restart, and look again";
    NetworkConfMissing "network-conf-missing" Error "/etc/xensource/network.conf is missing, and the switch script stops half-way without it" "write the running backend's word into it";
    NetworkConfVswitch "network-conf-vswitch" Error "network.conf holds the old word `vswitch`, and the switch script then does the opposite of what it is asked" "echo openvswitch > /etc/xensource/network.conf";
    BridgeBlacklisted "bridge-blacklisted" Error "the bridge module is kept from loading, so a host on the bridge backend has no network" "remove the line `install bridge ...` or `blacklist bridge`";
    BondingBlocked "bonding-blocked" Error "a modprobe file keeps the bonding driver from loading" "remove the line `alias bonding ...` or `install bonding ...`";
    VlanBlocked "vlan-blocked" Error "a modprobe file keeps the module of VLANs from loading" "remove the line `alias 8021q ...` or `install 8021q ...`";
    VlanUnsupported "vlan-unsupported" Error "this host cannot make VLANs: the module 8021q or the program of its boot scripts is missing" "modinfo 8021q; or use untagged switch ports, and leave out vlan";
    VlanTaken "vlan-taken" Error "the device of a tagged network, or its tag on the bond, is there, and it is not ours" "choose another tag, or take the device away";
    NothingBringsItUp "nothing-brings-it-up" Error "the network service is off and there is no systemctl or chkconfig, so nothing would bring the bond up at boot" "install the host's systemctl or chkconfig again";
    NicMissing "nic-missing" Error "a NIC is not on this host" "ls /sys/class/net";
    NicNamedTwice "nic-named-twice" Error "two names of the spec are the same NIC" "name each NIC once";
    NicNotPhysical "nic-not-physical" Error "a device is not a NIC that XAPI knows as physical" "xe pif-list physical=true params=device,MAC,VLAN";
    NicInfiniband "nic-infiniband" Error "a NIC is InfiniBand, which is not supported" "choose Ethernet NICs";
    NicIsManagement "nic-is-management" Error "a NIC carries the management of this host" "choose another NIC, or move management first";
    NicInManagedBond "nic-in-managed-bond" Error "a NIC is a slave of a bond that XAPI manages" "choose another NIC; xe bond-list shows the bonds. xe bond-destroy uuid=... would cut off every network and VM on that bond";
    NicInOtherBond "nic-in-other-bond" Error "a NIC is a slave of another bond of the kernel" "take it out of that bond first";
    NicInUse "nic-in-use" Error "a NIC is a port of, or carries, a device that is not XAPI's: a bridge of one's own, a macvlan, a team" "take the NIC out of it first";
    NicHasVlans "nic-has-vlans" Error "VLANs lie on a NIC" "xe vlan-list; xe vlan-destroy uuid=...";
    NicHasTunnels "nic-has-tunnels" Error "a tunnel or SR-IOV network lies on a NIC" "xe tunnel-list; xe network-sriov-list";
    NicHasFcoe "nic-has-fcoe" Error "FCoE runs over a NIC, or is to" "move the storage, and set FCOE_ENABLE=no in /etc/fcoe/cfg-...";
    NicBootsHost "nic-boots-host" Error "the host boots from storage through a NIC" "choose another NIC";
    NicClustered "nic-clustered" Error "the pool's cluster talks through a NIC, and XAPI then does not forget it" "xe cluster-host-list; choose another NIC, or take the cluster off it";
    NicCarriesStorage "nic-carries-storage" Error "storage that is in use is reached through a NIC" "xe pbd-unplug uuid=..., or unmount it, or choose another NIC";
    NicHasVifs "nic-has-vifs" Error "running VMs use a NIC's network and would lose it" "move their VIFs to another network, or shut them down";
    NicHasIp "nic-has-ip" Error "a NIC carries an address of this host" "xe pif-reconfigure-ip uuid=... mode=none";
    NicNotManaged "nic-not-managed" Error "XAPI does not manage a NIC that it is to keep" "xe pif-introduce host-uuid=... device=... mac=...";
    PifSetsMtu "pif-sets-mtu" Error "a NIC's PIF has an MTU of its own, which beats that of its network" "xe pif-param-remove uuid=... param-name=other-config param-key=mtu";
    ModeNeedsOpenvswitch "mode-needs-openvswitch" Error "XAPI makes LACP bonds, and bonds of more than two NICs, on Open vSwitch alone" "two NICs and --mode active-backup; or xe-switch-network-backend openvswitch; or leave out kind = managed";
    NetworkAmbiguous "network-ambiguous" Error "several networks have the name that was asked for, and the bond could lie on each" "xe network-list params=uuid,name-label,bridge; give each a name of its own: xe network-param-set uuid=... name-label=...";
    ManagementElsewhere "management-elsewhere" Error "the bond is to carry the management of this host, and none of its NICs does" "name the management NIC among them, or say use = storage";
    NetworkSettingsLost "network-settings-lost" Error "the management network has an MTU or routes that the bond's network has not, and they would be lost" "give them in the spec: mtu, routes";
    GatewayNotProven "gateway-not-proven" Error "the gateway of the management network does not answer through a further NIC, which may become the one that carries the management" "is its switch port on the management VLAN? xe pif-plug uuid=..., then: arping -D -I BRIDGE GATEWAY";
    PifPropertiesDiffer "pif-properties-differ" Error "the NICs' PIFs have different properties, and XAPI then makes no bond of them" "xe pif-param-set uuid=... properties:gro=...";
    NoDeadMansSwitch "no-dead-mans-switch" Warning "the management interface is to move, and nothing brings it back by itself" "leave out --confirm-within 0";
    ToolstackRestart "toolstack-restart" Warning "XAPI has a bond that the host has not, and a restart of the toolstack is to plug it" "--restart-toolstack orders it";
    NicDisallowsUnplug "nic-disallows-unplug" Error "a NIC's PIF is marked as not to be unplugged" "xe pif-param-set uuid=... disallow-unplug=false";
    NicMacMismatch "nic-mac-mismatch" Error "XAPI and the kernel disagree about a NIC's MAC address" "xe pif-scan host-uuid=... if the NIC was replaced";
    NicWillBeRenamed "nic-will-be-renamed" Error "the next boot gives a NIC another name, or its name to another NIC" "remove the rule, or reboot first and name the NICs anew";
    MtuTooLarge "mtu-too-large" Error "the MTU is above what a NIC's driver takes" "give a smaller --mtu";
    PifUnreadable "pif-unreadable" Error "a PIF's settings cannot be read exactly, so they could not be restored" "xe pif-param-list uuid=...; remove the key that is named";
    NicMtuPending "nic-mtu-pending" Error "a NIC has another MTU than XAPI gives it when it is next plugged, so a rollback could not bring it back" "plug it again first, or set the MTU of its network";
    PifUnmanagedUnsupported "pif-unmanaged-unsupported" Error "this XAPI has no unmanaged PIFs" "leave out --pif, or give --pif forget";
    PrimaryNotSlave "primary-not-slave" Error "the primary is not a slave of the bond" "name one of the bond's NICs, by device";
    BondNameReserved "bond-name-reserved" Error "the name is one that XAPI gives to its own bonds, or xenbond to a service" "use a name like bond51";
    BondNameTaken "bond-name-taken" Error "the kernel has a device of that name, and it is not ours" "choose another name";
    BondNameScript "bond-name-script" Error "the boot scripts treat devices of that name as something else than Ethernet" "use a name like bond51";
    FileNotPlain "file-not-plain" Error "a file that must be written is a link or no plain file, or one that is read is a pipe" "replace it by a plain file";
    NameNotText "name-not-text" Error "the name of a file that the change may touch is not UTF-8 text, so it cannot be recorded" "rename the file, or move it elsewhere";
    ManagementBecomesSlave "management-becomes-slave" Error "a file makes the NIC of the management a slave of a bond, and the bridge backend brings that bond up at the next boot" "remove the file, or its MASTER line";
    MasterNamedElsewhere "master-named-elsewhere" Error "another ifcfg file makes its device a slave of this bond" "remove its MASTER line, or the file";
    AddressTaken "address-taken" Error "the address is already configured on this host" "choose another address";
    AddressAnswers "address-answers" Error "another machine on the wire answers for the address" "choose another address";
    SubnetOverlap "subnet-overlap" Error "the address's subnet overlaps an address or route of this host" "give storage a subnet of its own";
    DefaultRouteByBond "default-route-by-bond" Error "the host's default route would go through the bond" "remove GATEWAYDEV from /etc/sysconfig/network";
    ModeUnknown "mode-unknown" Error "the bonding driver of this host does not have the mode" "use --mode active-backup";
    NicTuningUnsupported "nic-tuning-unsupported" Error "a NIC's setting can be set neither by the boot scripts of this host nor by the NIC's driver" "leave the setting out of --ethtool";
    OptionUnknown "option-unknown" Error "the bonding driver of this host does not know an option, or the word that it is to have" "leave the option out, or give it another word";
    VmsRunning "vms-running" Warning "VMs run here, and the host must be rebooted" "xe host-disable; xe host-evacuate";
    BackendKept "backend-kept" Warning "the backend is to stay what it is, and it is not bridge: the bonding driver may not load" "leave out --backend keep";
    BondFileExists "bond-file-exists" Warning "there is a configuration file for a bond of that name, and it is not ours" "look at it; it is saved, and put back by rollback";
    DeviceNamedElsewhere "device-named-elsewhere" Warning "another ifcfg file configures the bond or one of its NICs as well" "remove the file";
    RouteFileExists "route-file-exists" Warning "there are routes or rules for a device of the bond's name, and ifup would set them" "look at the file, or remove it";
    ModprobeContradicts "modprobe-contradicts" Warning "another modprobe file has an alias or options for the bonding driver or the bond" "remove the line";
    NoBondingOpts "no-bonding-opts" Warning "the boot scripts know no BONDING_OPTS, and a driver that is loaded already keeps its own options" "rpm -q initscripts: 8.45.31 or later knows it";
    VmsLoseNetwork "vms-lose-network" Warning "VMs that do not run here have interfaces on a NIC's network, and could not start on this host or move to it any more" "move their VIFs to another network";
    NetworkNotRestorable "network-not-restorable" Warning "XAPI would put a NIC that comes back by a rollback on another network than it is on now" "xe network-list params=uuid,bridge; a rollback may then end with exit code 4";
    BondCarriesStorage "bond-carries-storage" Warning "storage that is in use is reached through a bond that the change interrupts" "detach it first: xe pbd-unplug uuid=..., or unmount it";
    DefaultRouteGoes "default-route-goes" Warning "the only default route of the host leads through the bond that stands, and goes with the change" "give the management interface its gateway first: xe pif-reconfigure-ip";
    StorageMoves "storage-moves" Warning "storage that is in use is on the bond's subnet and is reached by another way now" "detach it first: xe pbd-unplug uuid=...";
    SubnetRoutable "subnet-routable" Warning "a storage server of the spec answers before there is a bond, so its subnet is routed to from elsewhere" "take the route away, or give storage a subnet that no router knows";
    NicNoLink "nic-no-link" Warning "a NIC has no link" "check cable and switch port";
    SpeedUnknown "speed-unknown" Warning "the driver of a NIC tells no speed or duplex, as in a nested test host" "ethtool DEVICE";
    NicTunedByXapi "nic-tuned-by-xapi" Note "XAPI sets something on a NIC that it will no longer set when it leaves the NIC alone" "ask for it in the spec, where it is to stay";
    NetworkIsThePools "network-is-the-pools" Note "the network of a NIC is the whole pool's, and so are its MTU and its routes" "run xenbond on each host; xe network-list params=uuid,name-label,MTU";
    NicFileExists "nic-file-exists" Note "there is a configuration file for a NIC" "it is saved, and put back by rollback";
    BackendDiffers "backend-differs" Note "the running backend is not the one set for the next boot" "a reboot makes them the same";
    PoolBackends "pool-backends" Note "not all hosts of the pool run the bridge backend" "run xenbond on each host; xe host-list params=name-label,software-version";
    HostUnknown "host-unknown" Note "the spec has an address for a host that this pool does not have" "correct the name; xe host-list params=name-label,hostname";
    HostWithoutAddress "host-without-address" Note "a host of the pool has no address in the spec" "add `NAME = IP/PREFIX` to [addresses], if it is to have the bond too";
    ForgetDoesNotLast "forget-does-not-last" Note "a forgotten PIF comes back with the next rescan of the host's NICs" "leave out --pif, where XAPI has unmanaged PIFs; run xenbond verify from cron";
    NicNotGivenBack "nic-not-given-back" Note "a NIC leaves the bond, and what XAPI had of it before is not recorded: it stays without XAPI" "xe pif-introduce host-uuid=... device=... mac=...; then plug it";
    RescanRulesChanged "rescan-rules-changed" Note "another program than XAPI's own says which NICs a rescan leaves alone" "read what `non-managed-pifs` names in /etc/xapi.conf";
    ArpNotValidated "arp-not-validated" Note "without arp_validate any broadcast counts as a reply" "--arp-validate all";
    SwitchSetup "switch-setup" Note "the mode needs the switch to be set for it" "set the switch ports as the message says";
    SlbBehaviour "slb-behaviour" Note "mode 7 does not balance dom0's own traffic, and says nothing to the switch when it fails over" "use --mode active-backup";
    SpeedsDiffer "speeds-differ" Warning "the NICs' links differ in speed or duplex" "use equal NICs and ports";
    BondEdited "bond-edited" Warning "a file by which the boot scripts make the bond as it stands was changed by others: a change that fails could not bring the bond back whole" "put the file back as it was, or accept it";
    DriversDiffer "drivers-differ" Note "the NICs have different drivers" "mixed drivers survive a driver bug, but offloads may differ";
    ManagedPossible "managed-possible" Note "XAPI could make this bond itself" "--kind managed --network NAME --use storage; the README has both kinds side by side";
    AlertsLost "alerts-lost" Note "XAPI sends no alerts about a bond that it does not manage" "run xenbond verify from cron";
    BondCarriesMore "bond-carries-more" Note "a VLAN device or an address lies on the bond that nobody asked for, and goes when the bond is taken down" "keep what is named, and make it again afterwards";
    RecordNotUnderstood "record-not-understood" Note "XAPI has a record with a word in it that makes no sense, as is known after upgrades; it is not the change's" "xe CLASS-param-list uuid=...";
}

impl Code {
    /// Whether it is about what a change would interrupt now: who accepted it once has not accepted
    /// it for the next time.
    #[must_use]
    pub fn is_of_the_moment(self) -> bool {
        matches!(self, Self::VmsRunning | Self::BondCarriesStorage)
    }
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

    /// The finding with a remedy that has the values in it.
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

/// What must become of findings that bar the way, in a line.
#[must_use]
pub fn first(barring: &[&Finding]) -> String {
    let errors = barring.iter().filter(|f| f.severity == Severity::Error).count();
    let word = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let solved = format!("{} must be solved", word(errors, "problem"));
    let warnings = barring.len() - errors;
    let accepted = format!("{} must be solved or accepted", word(warnings, "warning"));
    match (errors, warnings) {
        (_, 0) => format!("{solved} first"),
        (0, _) => format!("{accepted} first"),
        _ => format!("{solved}, and {accepted}, first"),
    }
}
