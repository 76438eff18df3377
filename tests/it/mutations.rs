//! Every parser on damaged texts: no panic, and no end of time. What is damaged are real texts:
//! captures of the lab's kernel, and what the model's programs print and its files hold.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use xenbond::bonding;
use xenbond::host::{Cmd, Output, Runner};
use xenbond::ifcfg;
use xenbond::inventory::{Ask, Inventory};
use xenbond::model::Model;
use xenbond::model::state::{Backend, Flavour};
use xenbond::modprobe;
use xenbond::spec::Raw;
use xenbond::xe;

use crate::dom0::Dom0;

/// Numbers that look random and are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// A few things that happen to texts.
    fn damage(&mut self, text: &[u8]) -> Vec<u8> {
        const SCRAPS: [&[u8]; 14] = [
            b"\n",
            b"\n\n\n",
            b"\0",
            b"\xff\xfe",
            b"'",
            b"\"",
            b"$(reboot)",
            b"\\\n",
            b"=",
            b" : ",
            b"uuid ( RO) : ",
            b"99999999999999999999",
            "\u{202e}\u{661}".as_bytes(),
            b"\r",
        ];
        let mut bytes = text.to_vec();
        for _ in 0..=self.below(5) {
            let (from, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match self.below(6) {
                0 => bytes.truncate(to),
                1 => drop(bytes.drain(from..to.min(from + 40))),
                2 => {
                    let again = bytes[from..to.min(from + 200)].to_vec();
                    bytes.splice(to..to, again);
                }
                3 => {
                    let scrap = SCRAPS[self.below(SCRAPS.len())];
                    bytes.splice(from..from, scrap.iter().copied());
                }
                4 if from < bytes.len() => bytes[from] ^= 1 << self.below(8),
                _ => bytes[from..to].reverse(),
            }
        }
        bytes
    }
}

/// The model's programs, with damage to what they print.
struct Damaging {
    model: Arc<Model>,
    dice: Mutex<Dice>,
}

impl Runner for Damaging {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let mut output = self.model.run(cmd)?;
        output.stdout = self.dice.lock().unwrap().damage(&output.stdout);
        Ok(output)
    }

    fn has_background(&self) -> bool {
        false
    }

    fn own_program(&self) -> Result<Vec<u8>> {
        self.model.own_program()
    }

    fn detach(&self, path: &str, args: &[&str], log: &str) -> Result<()> {
        self.model.detach(path, args, log)
    }
}

#[test]
fn no_parser_minds_damaged_texts() {
    let dom0 = Dom0::new(Flavour::El5, Backend::Bridge);
    let runner = Damaging { model: Arc::clone(&dom0.model), dice: Mutex::new(Dice(7)) };
    let dom0 = dom0.run_by(Arc::new(runner));
    let host = &dom0.host;
    let inventory = dom0.at("etc/xensource-inventory");
    let whole = std::fs::read(&inventory).unwrap();
    let me = std::str::from_utf8(&whole).unwrap().split("INSTALLATION_UUID='").nth(1).unwrap();
    let me = me[..36].parse().unwrap();
    let mut dice = Dice(4711);
    let mut counts = Vec::new();
    let mut each = |what: &str, times: usize, texts: &[Vec<u8>], read: &dyn Fn(&[u8])| {
        for _ in 0..times {
            let text = &texts[dice.below(texts.len())];
            read(&dice.damage(text));
        }
        counts.push(format!("{what} {times}"));
    };

    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/captured");
    let captured: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(captured.len() > 10);
    each("/proc/net/bonding", 4000, &captured, &|text| {
        drop(bonding::parse(&String::from_utf8_lossy(text)));
    });
    let read = |path: &str| std::fs::read(dom0.at(path)).unwrap();
    let scripts = "etc/sysconfig/network-scripts";
    let ifcfgs = [
        read(&format!("{scripts}/ifcfg-eth0")),
        read(&format!("{scripts}/ifcfg-xenbr0")),
        b"DEVICE=bond51\nBONDING_OPTS=\"mode=active-backup miimon=100\"\nIPADDR='172.16.51.11'\n"
            .to_vec(),
    ];
    each("ifcfg", 4000, &ifcfgs, &|text| {
        let text = String::from_utf8_lossy(text);
        let file = ifcfg::parse(&text);
        let _ = (file.bonding_opts().is_some(), ifcfg::names_master(&text, "bond51"));
    });
    let conf = read("etc/modprobe.conf");
    let merged = modprobe::merge_block(&conf, "bond51", &["alias bond51 bonding".into()]).unwrap();
    each("modprobe", 4000, &[conf, merged], &|text| {
        let commands = modprobe::parse(&String::from_utf8_lossy(text));
        let _ = modprobe::bonding_aliases(&commands);
        if let (Ok(Some(rest)), Ok(Some(_))) =
            (modprobe::remove_block(text, "bond51"), modprobe::block(text, "bond51"))
        {
            assert!(rest.len() < text.len());
        }
    });
    let spec = b"[bond]\nname = bond51\nnics = eth2, eth3\nmode = active-backup\nmiimon = 100\nmtu = 9000\nprobes = 172.16.51.2:2049\n\n[addresses]\nxen01 = 172.16.51.11/24\nxen02 = 172.16.51.12/24\n\n[nics xen02]\nnics = eth4, 00:1b:21:aa:bb:05\n";
    each("spec", 4000, &[spec.to_vec()], &|text| {
        let mut raw = Raw::default();
        if raw.file("spec", &String::from_utf8_lossy(text)).is_ok() {
            let _ = raw.finish();
        }
    });
    each("xe", 600, &[Vec::new()], &|_| {
        let _ = (xe::hosts(host).is_ok(), xe::pifs(host, &me).is_ok());
        let _ = (xe::networks(host).is_ok(), xe::vifs(host).is_ok());
    });
    each("inventory", 60, &[whole], &|text| {
        std::fs::write(&inventory, text).unwrap();
        let _ = Inventory::read(host, Ask { nics: &[], driver: true, ..Ask::default() })
            .map(|i| i.names());
    });
    println!("damaged texts read without a panic: {}", counts.join(", "));
}
