//! Extended attributes of files that are replaced: the SELinux label is one.

use std::fs;
use std::path::Path;

use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};

use super::root::{Root, at_once, with_spec};

const NAME: &str = "user.xenbond-test";
const VALUE: &[u8] = b"a label\0\xff";

fn label(path: &Path) -> Option<Vec<u8>> {
    let mut value = vec![0; 64];
    let size = lgetxattr(path, NAME, &mut value[..]).ok()?;
    value.truncate(size);
    Some(value)
}

#[test]
fn the_attributes_of_a_file_outlive_its_replacement_and_come_back_with_it() {
    at_once(
        [
            ("el7", &["etc/sysconfig/network-scripts/ifcfg-eth2"][..]),
            ("el5", &["etc/sysconfig/network-scripts/ifcfg-eth2", "etc/modprobe.conf"]),
        ],
        |(flavour, files)| {
            let root = Root::new(flavour, "bridge");
            fs::write(root.at(files[0]), "DEVICE=eth2\nONBOOT=no\n").unwrap();
            for file in files {
                if lsetxattr(root.at(file), NAME, VALUE, XattrFlags::empty()).is_err() {
                    eprintln!("the file system of this test has no such attributes");
                    return;
                }
            }
            let start = root.snapshot();
            root.apply();
            for file in files {
                assert_ne!(fs::read(root.at(file)).unwrap(), b"DEVICE=eth2\nONBOOT=no\n", "{file}");
                assert_eq!(label(&root.at(file)).as_deref(), Some(VALUE), "{file} after apply");
                // Somebody's tool takes it away; the rollback brings back what was recorded.
                rustix::fs::lremovexattr(root.at(file), NAME).unwrap();
            }
            root.exits(0, &["rollback", "--yes"]);
            for file in files {
                assert_eq!(label(&root.at(file)).as_deref(), Some(VALUE), "{file} after rollback");
            }
            start.assert_same(&root, "rollback");
            root.exits(0, &with_spec(&["plan"]));
        },
    );
}
