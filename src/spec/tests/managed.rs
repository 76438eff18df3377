//! The kind that XAPI keeps: its keys, what is refused of it, and that it is written as it is read.

use super::*;

const NIC: &str = "[bond]\nkind = managed\nnics = eth2\nuse = storage\naddress = 172.16.51.11/24\n";
const BOND: &str = "[bond]\nkind = managed\nnetwork = NAS\nnics = eth2, eth3\nuse = storage\n\
    mode = active-backup\naddress = 172.16.51.11/24\n";

fn read(file: &str) -> Spec {
    request(file, &[]).unwrap().for_host(&[]).unwrap()
}

fn managed(spec: &Spec) -> &Managed {
    spec.managed().unwrap()
}

#[test]
fn a_storage_nic_is_called_by_its_device_and_tunes_and_switches_nothing() {
    let spec = read(NIC);
    assert!(spec.is_storage_nic());
    assert_eq!(spec.bond.as_str(), "eth2");
    assert_eq!(spec.backend, BackendChoice::Keep);
    assert_eq!(spec.options.iter().count(), 0);
    let by_mac = read(&NIC.replace("eth2", "00:1b:21:0a:01:02"));
    assert_eq!(by_mac.bond.as_str(), "nic", "the host tells its device");
    assert!(!usual(&[]).is_storage_nic() && usual(&[]).managed().is_none());
}

#[test]
fn xapis_own_words_for_modes_are_taken() {
    for (word, mode) in [
        ("lacp", BondMode::Ieee8023ad),
        ("LACP", BondMode::Ieee8023ad),
        ("802.3ad", BondMode::Ieee8023ad),
        ("balance-slb", BondMode::BalanceSlb),
        ("7", BondMode::BalanceSlb),
        ("active-backup", BondMode::ActiveBackup),
    ] {
        assert_eq!(read(&BOND.replace("active-backup", word)).mode, mode, "{word}");
    }
    assert!(refused(&small("mode=lacp"), &[]).contains("did you mean 802.3ad?"));
}

#[test]
fn management_and_networks_of_machines_have_no_address_of_the_spec() {
    let text = BOND.replace("address = 172.16.51.11/24\n", "");
    for (word, purpose) in [("management", Use::Management), ("network", Use::Network)] {
        let spec = read(&text.replace("storage", word));
        assert_eq!(managed(&spec).purpose, purpose);
        assert_eq!((spec.address, spec.networks().count()), (None, 0));
        assert_eq!(spec, read(&spec.to_ini()), "{}", spec.to_ini());
    }
    let spec = read(&format!("{}mtu = 9000\n", text.replace("storage", "management")));
    assert_eq!(spec.mtu, Some(9000));
}

#[test]
fn each_host_has_its_own_address_and_its_own_nics() {
    let text = format!(
        "{}\n[addresses]\nxen01 = 172.16.51.11/24\nxen02 = 172.16.51.12/24\n\n[bond xen02]\nnics = eth4\n",
        NIC.replace("address = 172.16.51.11/24\n", "")
    );
    let request = request(&text, &[]).unwrap();
    let two = request.for_host(&names(&["xen02"])).unwrap();
    assert_eq!(two.bond.as_str(), "eth4");
    assert_eq!(two.address.unwrap().to_string(), "172.16.51.12/24");
    assert!(request.is_managed());
}

#[test]
fn what_is_written_is_read_as_the_very_same() {
    let lacp = "mode = 802.3ad\nlacp_time = fast\nhashing_algorithm = src_mac\nmtu = 9000\n\
        routes = 10.99.0.0/16 via 172.16.51.1\nprobes = 172.16.51.2:2049\n\
        optional_probes = 172.16.51.3\n";
    for text in [
        NIC.to_string(),
        format!("{NIC}mtu = 9000\nroutes = 10.99.0.0/16 via 172.16.51.1\nprobes = 172.16.51.2\n"),
        BOND.to_string(),
        BOND.replace("mode = active-backup\n", lacp),
        BOND.replace("NAS", "\"NAS; rack 7 #2\""),
        BOND.replace("NAS", "'the \"fast\" one'"),
        BOND.replace("NAS", "\" NAS \""),
    ] {
        let spec = read(&text);
        assert_eq!(read(&spec.to_ini()), spec, "{text}\n{}", spec.to_ini());
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec, "{json}");
    }
    assert!(!serde_json::to_string(&usual(&[])).unwrap().contains("kind"));
}

#[test]
fn what_no_such_bond_has_is_refused_with_the_field_the_value_and_the_way_out() {
    let with = |text: &str, line: &str| format!("{text}{line}\n");
    let bond = |from: &str, to: &str| BOND.replace(from, to);
    let without = |key: &str| {
        let lines = BOND.lines().filter(|line| !line.starts_with(key));
        lines.collect::<Vec<_>>().join("\n")
    };
    let pool = "\n[addresses]\nxen01 = 172.16.51.11/24\n";
    for (file, want) in [
        (with(NIC, "kind2 = x"), "[bond] kind2: unknown key; did you mean `kind`?"),
        (NIC.replace("managed", "magic"), "[bond] kind: `magic` is not one of unmanaged, managed"),
        (
            with(BOND, "name = bond51"),
            "[bond] name: name is not for kind = managed: leave it out; its keys are nics, mode, mtu, routes, probes, optional_probes, address, netmask, kind, network, use, lacp_time, hashing_algorithm",
        ),
        (
            with(BOND, "miimon = 100"),
            "[bond] miimon: miimon is not for kind = managed: leave it out",
        ),
        (with(BOND, "vlan = 51"), "[bond] vlan: vlan is not for kind = managed: leave it out"),
        (with(BOND, "pif = forget"), "[bond] pif: pif is not for kind = managed: leave it out"),
        (
            with(BOND, "[vlan 52]\naddress = 172.16.52.11/24"),
            "[vlan 52]: kind = managed has no further networks: leave it out",
        ),
        (
            without("use"),
            "kind = managed, and not what for: give --use, or `use` in [bond]: storage, management or network",
        ),
        (
            bond("storage", "backup"),
            "[bond] use: `backup` is not one of storage, management, network",
        ),
        (
            bond("active-backup", "balance-rr"),
            "[bond] mode: XAPI makes no balance-rr bond: give active-backup, balance-slb or 802.3ad, or leave out kind = managed",
        ),
        (bond("active-backup", "9"), "[bond] mode: `9` is not a valid bonding mode"),
        (
            bond("storage", "management"),
            "[bond] address: use = management takes over the address that is there: leave it out, or say use = storage",
        ),
        (
            bond("storage", "network"),
            "[bond] address: use = network has no address: leave it out, or say use = storage",
        ),
        (
            without("address").replace("storage", "management") + pool,
            "[addresses]: use = management takes over the address that is there: leave it out, or say use = storage",
        ),
        (
            with(&without("address").replace("storage", "network"), "\nprobes = 10.0.0.1"),
            "[bond] probes: with use = network this host has no address there: leave it out",
        ),
        (without("address"), "the bond has no address: give --address IP/PREFIX"),
        (without("network"), "the bond has no network: give --network NAME or `network` in [bond]"),
        (
            bond("network = NAS", "network = \"\""),
            "[bond] network: the name of the network is empty",
        ),
        (bond("network = NAS", "network = \"it's \"quoted\"\""), "[bond] network: "),
        (bond("eth2, eth3", "eth2, eth2"), "NIC eth2 is named twice"),
        (
            bond("eth2, eth3", "eth1, eth2, eth3, eth4, eth5"),
            "5 NICs are named, and a bond of XAPI's has two to 4: leave out eth5",
        ),
        (
            with(BOND, "lacp_time = fast"),
            "lacp_time is for mode 802.3ad alone: leave it out, or give that mode",
        ),
        (
            with(BOND, "hashing_algorithm = src_mac"),
            "hashing_algorithm is for mode 802.3ad alone: leave it out, or give that mode",
        ),
        (with(BOND, "lacp_time = never"), "[bond] lacp_time: `never` is not one of slow, fast"),
        (
            with(NIC, "mode = active-backup"),
            "the storage NIC eth2 is not a bond, and keeps its network: leave out mode",
        ),
        (
            with(NIC, "network = NAS"),
            "the storage NIC eth2 is not a bond, and keeps its network: leave out network",
        ),
        (
            with(NIC, "lacp_time = fast"),
            "the storage NIC eth2 is not a bond, and keeps its network: leave out lacp_time",
        ),
        (
            with(&NIC.replace("address = 172.16.51.11/24\n", ""), "").replace("storage", "network"),
            "use = network needs a bond, and eth2 is the only NIC named: name two, or say use = storage",
        ),
        (
            with(NIC, "probes = 10.0.0.1"),
            "the storage server 10.0.0.1 is not in 172.16.51.0/24, the subnet of eth2",
        ),
        (
            with(NIC, "routes = 10.99.0.0/16 via 10.0.0.1"),
            "route 10.99.0.0/16 via 10.0.0.1: the gateway 10.0.0.1 is not another host",
        ),
        (
            format!(
                "{}[bond xen02]\nuse = storage\naddress = 172.16.51.12/24\n",
                without("address").replace("storage", "management") + "\n"
            ),
            "[bond xen02] address: kind and use are those of [bond], for every host",
        ),
        (
            small("network = NAS"),
            "[bond] network: network is for kind = managed alone: leave it out, or say that kind",
        ),
        (
            small("lacp_time = fast"),
            "[bond] lacp_time: lacp_time is for kind = managed alone: leave it out, or say that kind",
        ),
    ] {
        let said = refused(&file, &[]);
        assert!(said.contains(want), "{file}\nwanted {want}\n   got {said}");
    }
    let said = refused(NIC, &[("bond", "bond51")]);
    assert!(said.starts_with("--bond: name is not for kind = managed: leave it out"), "{said}");
}
