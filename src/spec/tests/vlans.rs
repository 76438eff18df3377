//! Tagged networks: what a spec says of them, and what is refused.

use super::*;

const TAGGED: &str = "\
[bond]
name = bond51
nics = eth2, eth3
mtu = 9000
vlan = 51
probes = 172.16.51.2:2049

[addresses]
xen01 = 172.16.51.11/24
xen02 = 172.16.51.12/24

[vlan 52]
XEN01.example = 172.16.52.11/24
mtu = 1500
probes = 172.16.52.2, 172.16.52.3:3260
";

fn of(file: &str, host: &str) -> Spec {
    request(file, &[]).unwrap().for_host(&names(&[host])).unwrap()
}

#[test]
fn each_host_has_its_addresses_on_its_tags() {
    let spec = of(TAGGED, "xen01");
    let shown = |spec: &Spec| -> Vec<String> {
        let one = |n: Network<'_>| format!("{} {} {:?}", n.device, n.address, n.mtu);
        spec.networks().map(one).collect()
    };
    assert_eq!(
        shown(&spec),
        ["bond51.51 172.16.51.11/24 Some(9000)", "bond51.52 172.16.52.11/24 Some(1500)"]
    );
    assert_eq!(spec.required().count(), 3);
    let to = |addr: &str| spec.network_to(addr.parse().unwrap()).map(|n| n.device.to_string());
    assert_eq!(to("172.16.52.9").as_deref(), Some("bond51.52"));
    assert_eq!(to("172.16.53.9"), None);
    assert_eq!(shown(&of(TAGGED, "xen02")), ["bond51.51 172.16.51.12/24 Some(9000)"]);
    let untagged = TAGGED.replace("vlan = 51\n", "");
    assert_eq!(of(&untagged, "xen01").own_network().unwrap().device, "bond51");
    assert_eq!(shown(&of(&untagged, "xen01"))[1], "bond51.52 172.16.52.11/24 Some(1500)");
    let single = small("vlan=7\n[vlan 8]\naddress=172.16.52.11/24");
    assert_eq!(
        shown(&here(&single, &[])),
        ["bond51.7 172.16.51.11/24 None", "bond51.8 172.16.52.11/24 None"]
    );
    let named = small("[vlan 8]\nxen01=172.16.52.11/24");
    let networks = ["bond51 172.16.51.11/24 None", "bond51.8 172.16.52.11/24 None"];
    assert_eq!(shown(&of(&named, "xen01")), networks, "one host's file may name the host");
    assert_eq!(shown(&of(&named, "XEN01.example.org")), networks);
    assert_eq!(shown(&of(&named, "xen02")), networks[..1]);
    assert!(request(TAGGED, &[]).unwrap().asks_for_vlans());
    assert!(!request(POOL, &[]).unwrap().asks_for_vlans());
    let own = TAGGED.to_string() + "[bond xen02]\nvlan = 99\n";
    assert_eq!(of(&own, "xen02").own_network().unwrap().device, "bond51.99");
}

#[test]
fn a_spec_with_tags_is_the_same_when_it_is_read_back() {
    let spec = of(TAGGED, "xen01");
    let json = serde_json::to_string(&spec).unwrap();
    assert!(json.contains("\"vlan\":\"bond51.51\""), "{json}");
    assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
    for wrong in ["bond51.0", "bond51", "bond51.4095", "b/d.51", "bond51.051"] {
        let json = json.replace("\"bond51.51\"", &format!("\"{wrong}\""));
        assert!(serde_json::from_str::<Spec>(&json).is_err(), "{wrong}");
    }
    let before = serde_json::to_string(&here(POOL, &[])).unwrap();
    assert!(!before.contains("vlan"), "{before}");
}

#[test]
fn routes_lead_to_what_is_behind_a_router_of_the_network() {
    let file = TAGGED
        .replace(
            "vlan = 51\n",
            "vlan = 51\nroutes = 10.99.0.0/16  via 172.16.51.1,10.98.0.0/24 via 172.16.51.2\n",
        )
        .replace("mtu = 1500\n", "mtu = 1500\nroutes = 10.99.1.0/24 via 172.16.52.1\n")
        .replace("51.2:2049", "51.2:2049, 10.99.0.5, 10.99.1.5");
    let spec = of(&file, "xen01");
    let shown: Vec<String> = spec.routes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.99.0.0/16 via 172.16.51.1", "10.98.0.0/24 via 172.16.51.2"]);
    let to = |addr: &str| spec.network_to(addr.parse().unwrap()).map(|n| n.device.to_string());
    assert_eq!(to("10.99.0.5").as_deref(), Some("bond51.51"));
    assert_eq!(to("10.99.1.5").as_deref(), Some("bond51.52"), "the narrower one counts");
    assert_eq!(to("10.97.0.5"), None);
    let flags = [&FLAGS[..], &[("routes", "10.99.0.0/16 via 172.16.51.1")]].concat();
    assert_eq!(here("", &flags).routes.len(), 1);
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
    for (route, said) in [
        (
            "0.0.0.0/0 via 172.16.51.1",
            "pool.ini: [bond] routes: `0.0.0.0/0 via 172.16.51.1` is a default route",
        ),
        (
            "default via 172.16.51.1",
            "pool.ini: [bond] routes: `default via 172.16.51.1` is a default route",
        ),
        ("0.0.0.0/1 via 172.16.51.1", "pool.ini: [bond] routes: `0.0.0.0/1` is too wide"),
        (
            "10.99.0.1/16 via 172.16.51.1",
            "pool.ini: [bond] routes: `10.99.0.1/16` is not a valid network: its host bits must be zero, as in 10.99.0.0/16",
        ),
        (
            "10.99.0.0/16",
            "pool.ini: [bond] routes: `10.99.0.0/16` is not a valid route (10.99.0.0/16 via 172.16.51.1)",
        ),
        (
            "10.99.0.0/16 via nas",
            "pool.ini: [bond] routes: `10.99.0.0/16 via nas` is not a valid route",
        ),
        ("10.99.0.0/16 via 172.16.51.1 dev eth0", "pool.ini: [bond] routes: "),
        ("", "pool.ini: [bond] routes: `` is not a valid route"),
        (
            "224.0.0.0/8 via 172.16.51.1",
            "pool.ini: [bond] routes: `224.0.0.0/8` is not a valid network of hosts",
        ),
        (
            "10.99.0.0/16 via 172.16.52.1",
            "route 10.99.0.0/16 via 172.16.52.1: the gateway 172.16.52.1 is not another host of 172.16.51.0/24, the subnet of bond51",
        ),
        (
            "10.99.0.0/16 via 172.16.51.11",
            "route 10.99.0.0/16 via 172.16.51.11: the gateway 172.16.51.11 is not another",
        ),
        (
            "172.16.0.0/16 via 172.16.51.1",
            "route 172.16.0.0/16 via 172.16.51.1: 172.16.0.0/16 overlaps 172.16.51.0/24, the subnet of bond51 itself",
        ),
        (
            "10.99.0.0/16 via 172.16.51.1, 10.99.0.0/16 via 172.16.51.2",
            "route 10.99.0.0/16 via 172.16.51.2: another one leads to 10.99.0.0/16 already",
        ),
    ] {
        let said_now = refused(&small(&format!("routes={route}")), &[]);
        assert!(said_now.starts_with(said), "{route}: {said_now}");
    }
    let said = refused(&small("probes=10.99.0.5"), &[]);
    assert!(said.starts_with("the storage server 10.99.0.5 is not in 172.16.51.0/24"), "{said}");
    here(&small("probes=10.99.0.5\nroutes=10.99.0.0/16 via 172.16.51.1"), &[]);
}

#[test]
fn what_is_wrong_with_a_tag_is_said_where_it_stands() {
    for (from, to, said) in [
        (
            "vlan = 51",
            "vlan = 0",
            "pool.ini: [bond] vlan: `0` is not a valid VLAN tag: it must be a whole number from 1 to 4094",
        ),
        ("vlan = 51", "vlan = 4095", "pool.ini: [bond] vlan: `4095` is not a valid VLAN tag"),
        ("vlan = 51", "vlan = 051", "pool.ini: [bond] vlan: `051` is not a valid VLAN tag"),
        ("vlan = 51", "vlan = 52", "bond51.52 is named twice"),
        ("[vlan 52]", "[vlan 4095]", "pool.ini: [vlan 4095]: `4095` is not a valid VLAN tag"),
        ("[vlan 52]", "[vlan nas]", "pool.ini: [vlan nas]: `nas` is not a valid VLAN tag"),
        ("[vlan 52]", "[vlan]", "pool.ini: unknown section [vlan]"),
        (
            "name = bond51",
            "name = bond51storage",
            "pool.ini: [bond] vlan: the device of tag 51 would be `bond51storage.51`, which has 16 characters, and the kernel takes 15",
        ),
        (
            "mtu = 1500",
            "mtu = 9001",
            "[vlan 52] mtu: 9001 is above 9000, the MTU of bond51: a tag can have no larger one",
        ),
        ("mtu = 9000\n", "", ""),
        ("mtu = 1500", "mtu = 67", "pool.ini: [vlan 52] mtu: `67` is not a valid MTU"),
        ("mtu = 1500", "mode = 1", "pool.ini: [vlan 52] mode: unknown key in this section"),
        (
            "mtu = 1500",
            "mut = 1500",
            "pool.ini: [vlan 52] mut: `mut` is neither a key of this section nor one host of [addresses], which has xen01, xen02; did you mean `mtu`?",
        ),
        (
            "mtu = 1500",
            "xen01 = 172.16.52.12/24",
            "pool.ini: [vlan 52] xen01: another line of this section is for xen01",
        ),
        (
            "mtu = 1500",
            "xen02 = 172.16.52.11/24",
            "pool.ini: [vlan 52] xen02: address 172.16.52.11 is also that of xen01",
        ),
        (
            "mtu = 1500",
            "address = 172.16.52.12/24",
            "pool.ini: [vlan 52] address: the hosts of [addresses] have a line each",
        ),
        (
            "XEN01.example = 172.16.52.11/24\n",
            "",
            "pool.ini: [vlan 52]: it has no address: give `NAME = IP/PREFIX` for each host",
        ),
        (
            "172.16.52.11/24",
            "172.16.52.11",
            "pool.ini: [vlan 52] XEN01.example: `172.16.52.11` is not a valid IPv4 address with prefix",
        ),
        (
            "172.16.52.11/24",
            "172.16.51.200/25",
            "172.16.51.128/25 of bond51.52 overlaps 172.16.51.0/24 of bond51.51",
        ),
        (
            "172.16.52.3:3260",
            "172.16.51.3",
            "the storage server 172.16.51.3 is not in 172.16.52.0/24, the subnet of bond51.52, and is not reached through it",
        ),
        (
            "51.2:2049",
            "53.2",
            "the storage server 172.16.53.2 is not in 172.16.51.0/24, the subnet of bond51.51, nor in 172.16.52.0/24, the subnet of bond51.52, and is not reached through it",
        ),
    ] {
        let file = TAGGED.replacen(from, to, 1);
        match request(&file, &[]) {
            Ok(_) => assert_eq!(said, "", "{from} -> {to}"),
            Err(error) => {
                assert!(format!("{error:#}").starts_with(said) && !said.is_empty(), "{error:#}")
            }
        }
    }
    let said = refused(&small("[vlan 52]\naddress=172.16.52.11/24\nmtu=9000"), &[]);
    assert_eq!(
        said,
        "[vlan 52] mtu: 9000 is above 1500, and bond51 has no MTU given: give it by `mtu` in [bond]"
    );
    for (section, said) in [
        (
            "adress=172.16.52.11/24",
            "pool.ini: [vlan 52] adress: unknown key in this section; did you mean `address`?",
        ),
        (
            "primary=eth2",
            "pool.ini: [vlan 52] primary: unknown key in this section; its keys are address, mtu, routes, probes, and names of hosts",
        ),
        (
            "address=172.16.52.11/24\nxen01=172.16.52.12/24",
            "pool.ini: [vlan 52]: `address` and the line of xen01 exclude each other",
        ),
    ] {
        let came = refused(&small(&format!("[vlan 52]\n{section}")), &[]);
        assert!(came.starts_with(said), "{came}");
    }
    let said = refused(&small("[vlan 52]\n"), &[]);
    assert!(said.starts_with("pool.ini: [vlan 52] has no address"), "{said}");
}
