//! The units and init scripts, as the tools of a host read them. `XENBOND_SERVICES=all` asks
//! systemd and shellcheck too; without it only the shell, which is everywhere.

use std::process::Command;

use xenbond::host::Kind;
use xenbond::net::IfName;
use xenbond::render::{self, Slave, Target, Templates};
use xenbond::service::Init;
use xenbond::service::Service;
use xenbond::spec::Raw;

/// All services in a folder, with programs that are on every machine.
fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let templates = Templates::load(None).unwrap();
    let mut raw = Raw::default();
    raw.file("spec", "[bond]\nname=bond51\nnics=eth2,eth3\naddress=172.16.51.11/24\n").unwrap();
    let spec = raw.finish().unwrap().for_host(&[]).unwrap();
    let slaves =
        ["eth2", "eth3"].map(|nic| Slave { device: nic.parse::<IfName>().unwrap(), mac: None });
    for init in [Init::Systemd, Init::Sysv] {
        let [ifup, ifdown, ip] = ["/bin/true", "/bin/true", "/bin/true"].map(String::from);
        let target = Target { modprobe_conf: None, boot: Some(init), ifup, ifdown, ip };
        let bond = Service::of_bond(&spec.bond, init);
        let files = render::files(&spec, &slaves, &target, &templates).unwrap();
        let (_, file) = files.iter().find(|(path, _)| *path == bond.file()).unwrap();
        let resume = Service::of_resume(init);
        let resumes = render::resume_service(&resume, "/bin/true", &templates).unwrap();
        for (service, file) in [(bond, file), (resume, &resumes)] {
            let Kind::File { bytes, mode, .. } = file else { panic!("{service:?}") };
            assert_eq!(*mode, service.file_mode());
            std::fs::write(folder.path().join(service.full_name()), bytes).unwrap();
        }
    }
    folder
}

/// The tool has nothing to say.
fn content(program: &str, args: &[&str], folder: &tempfile::TempDir, name: &str) {
    let output = Command::new(program).args(args).arg(folder.path().join(name)).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    // Other units of the machine are not ours to judge.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("xenbond")).collect();
    assert!(output.status.success() && ours.is_empty(), "{program} {name}: {said}");
}

#[test]
fn services_are_sound() {
    let folder = written();
    let all = std::env::var("XENBOND_SERVICES").is_ok_and(|word| word == "all");
    for name in ["xenbond-bond51", "xenbond-resume"] {
        content("sh", &["-n"], &folder, name);
        if all {
            content("bash", &["-n"], &folder, name);
            content("shellcheck", &[], &folder, name);
            content("systemd-analyze", &["verify"], &folder, &format!("{name}.service"));
        }
    }
}

#[test]
fn a_script_says_what_chkconfig_must_know_right_below_its_first_line() {
    let folder = written();
    for (name, numbers) in [("xenbond-bond51", "11 89"), ("xenbond-resume", "99 01")] {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.starts_with("#!/bin/sh\n# xenbond wrote this file"), "{text}");
        assert!(text.contains(&format!("\n# chkconfig: 2345 {numbers}\n")), "{text}");
        assert!(text.contains("\n# description: "), "{text}");
    }
}
