//! `undo.sh`: the rollback without the program.

use super::root::Root;

fn undone_by_the_script(flavour: &str, backend: &str) {
    let root = Root::new(flavour, backend);
    let scripts = root.at("etc/sysconfig/network-scripts");
    std::fs::write(scripts.join("ifcfg-eth2"), "DEVICE=eth2\nONBOOT=no\n").unwrap();
    std::fs::write(scripts.join("ifcfg-backup0"), "DEVICE=backup0\nONBOOT=no\n").unwrap();
    let start = root.snapshot();
    let apply = super::root::with_spec(&["apply", "--yes"]);
    if backend == "bridge" {
        root.exits(0, &apply);
    } else {
        root.exits(6, &apply);
        root.reboot();
        root.exits(0, &["resume"]);
    }
    for _ in 0..2 {
        let said = root.undo_sh();
        if backend != "bridge" {
            root.reboot();
        }
        start.assert_same(&root, &said);
        assert!(said.contains("undo: done\n"), "{said}");
    }
    // The program finds nothing left to undo, and agrees that all is as it was.
    root.exits(0, &["rollback", "--yes"]);
    start.assert_same(&root, "rollback after the script");
}

#[test]
fn the_script_undoes_all_on_each_kind_of_host() {
    for (flavour, backend) in [("el7", "bridge"), ("el5", "openvswitch"), ("el7", "openvswitch")] {
        undone_by_the_script(flavour, backend);
    }
}
