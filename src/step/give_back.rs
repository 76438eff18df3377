//! A NIC given back to XAPI by a bond that goes: with the record that it had before the bond, or
//! introduced and plugged where nothing is recorded.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::{Link, PifRecord};
use crate::host::{Cmd, Host};
use crate::xe::{self, Pif};

/// A NIC, the record that it is to have and the one that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveBack {
    /// What XAPI is to have of it; without a record of before a new one, plugged.
    pub record: PifRecord,
    /// What XAPI has of it now.
    pub had: Option<Pif>,
    /// What the kernel is to have of it, where XAPI does not plug it.
    pub link: Option<Link>,
}

impl GiveBack {
    pub(super) fn title(&self) -> String {
        let device = &self.record.device;
        match &self.record.was {
            Some(was) if was.attached => {
                format!("give {device} back to XAPI with its old settings and plug it")
            }
            Some(_) => format!("give {device} back to XAPI with its old settings"),
            None => format!("create a PIF for {device} in XAPI and plug it"),
        }
    }

    pub(super) fn undo_title(&self) -> String {
        let device = &self.record.device;
        match &self.had {
            Some(_) => format!("make {device} unmanaged in XAPI again"),
            None => format!("remove {device} from XAPI again (forget its PIF)"),
        }
    }

    /// What it runs, but for what only the new record's uuid tells.
    pub(super) fn commands(&self) -> Vec<Cmd> {
        let PifRecord { host, device, mac, .. } = &self.record;
        let had = self.had.iter().map(|had| xe::forget(&had.uuid.to_string()));
        had.chain([xe::introduce(host, device, mac, true)]).collect()
    }

    pub(super) fn perform(&self, host: &Host) -> Result<()> {
        if let Some(link) = &self.link {
            link.restore(host)?;
        }
        let record = &self.record;
        if record.was.is_some() {
            return record.remember(host);
        }
        record.forget_unmanaged(host)?;
        if record.now(host)?.is_none() {
            let cmd = xe::introduce(&record.host, &record.device, &record.mac, true);
            host.run(&cmd)?.check(&cmd)?;
        }
        let now = record.now(host)?;
        let now = now.with_context(|| format!("pif-list does not show {}", record.device))?;
        ensure!(now.is_managed(), "the PIF of {} is still an unmanaged one", record.device);
        if !now.attached {
            let cmd = xe::plug(&now.uuid.to_string());
            host.run(&cmd)?.check(&cmd)?;
        }
        Ok(())
    }

    /// Makes XAPI leave the NIC alone again.
    pub(super) fn undo(&self, host: &Host) -> Result<()> {
        let record = &self.record;
        if let Some(pif) = record.now(host)?.filter(Pif::is_managed) {
            let pif = xe::with_maps(host, &record.host, pif)?;
            PifRecord { was: Some(pif), ..record.clone() }.forget(host)?;
        }
        match &self.had {
            Some(had) if !had.is_managed() && record.now(host)?.is_none() => record.introduce(host),
            _ => Ok(()),
        }
    }
}
