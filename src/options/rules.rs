//! Which options go together: with the mode, with each other, with the number of slaves.

use anyhow::{Result, bail, ensure};

use super::{DEFAULT_MIIMON, Opt, Options};
use crate::net::BondMode;

use BondMode::{
    ActiveBackup, BalanceAlb, BalanceRr, BalanceSlb, BalanceTlb, BalanceXor, Broadcast, Ieee8023ad,
};

impl Options {
    /// Whether the options fit the mode, each other and the number of slaves.
    ///
    /// # Errors
    /// The first rule that is broken, in a sentence of its own.
    pub fn check(&self, mode: BondMode, slaves: usize) -> Result<()> {
        self.check_modes(mode)?;
        self.check_monitoring(mode)?;
        self.check_delays()?;
        self.check_heeded(mode)?;
        if self.word(Opt::PrimaryReselect).is_some() {
            ensure!(self.primary().is_some(), "primary_reselect needs primary");
        }
        if let Some(links) = self.number(Opt::MinLinks) {
            ensure!(
                links as usize <= slaves,
                "min_links={links} is more than the bond's {slaves} slaves: it would never be up"
            );
        }
        Ok(())
    }

    fn check_modes(&self, mode: BondMode) -> Result<()> {
        for (row, value) in self.iter() {
            if !row.modes.contains(&mode) {
                let modes: Vec<&str> = row.modes.iter().map(|m| m.name()).collect();
                bail!(
                    "{}={value} is not for mode {mode}: it belongs to {}",
                    row.name,
                    modes.join(", ")
                );
            }
        }
        Ok(())
    }

    /// One kind of link monitoring, and what it needs.
    fn check_monitoring(&self, mode: BondMode) -> Result<()> {
        let miimon = self.number(Opt::Miimon).unwrap_or(0);
        let arp_interval = self.number(Opt::ArpInterval);
        if let Some(interval) = arp_interval {
            ensure!(
                miimon == 0,
                "miimon={miimon} and arp_interval={interval} exclude each other: the driver has one kind of link monitoring at a time"
            );
            ensure!(
                !self.targets().is_empty(),
                "arp_interval={interval} needs arp_ip_target: without a target the ARP monitor has nothing to ask"
            );
        } else {
            ensure!(
                miimon > 0 || matches!(mode, Ieee8023ad | BalanceTlb | BalanceAlb),
                "miimon=0 without arp_interval leaves the links unwatched: the bond would never fail over"
            );
            ensure!(
                miimon > 0,
                "miimon=0 is not for mode {mode}: it needs link monitoring, and the driver would set {DEFAULT_MIIMON} by itself"
            );
            ensure!(self.targets().is_empty(), "arp_ip_target needs arp_interval");
            ensure!(self.word(Opt::ArpValidate).is_none(), "arp_validate needs arp_interval");
            ensure!(self.number(Opt::ArpMissedMax).is_none(), "arp_missed_max needs arp_interval");
        }
        Ok(())
    }

    /// Options that the driver takes, and heeds only beside another.
    fn check_heeded(&self, mode: BondMode) -> Result<()> {
        let validated = self.word(Opt::ArpValidate).is_some_and(|word| word != "none");
        if let Some(which) = self.word(Opt::ArpAllTargets) {
            ensure!(
                validated,
                "arp_all_targets={which} needs arp_validate: without it any answer on the wire counts"
            );
        }
        let hash = self.word(Opt::XmitHashPolicy);
        if let Some(policy) = hash.filter(|_| matches!(mode, BalanceTlb | BalanceAlb)) {
            ensure!(
                self.number(Opt::TlbDynamicLb) == Some(0),
                "xmit_hash_policy={policy} in mode {mode} needs tlb_dynamic_lb=0: else the driver goes by the slaves' load"
            );
        }
        if self.number(Opt::NumGratArp) == Some(0)
            && let Some(delay) = self.number(Opt::PeerNotifDelay).filter(|delay| *delay > 0)
        {
            bail!(
                "peer_notif_delay={delay} and num_grat_arp=0 exclude each other: there is no announcement to put off"
            );
        }
        Ok(())
    }

    fn check_delays(&self) -> Result<()> {
        let miimon = self.number(Opt::Miimon).unwrap_or(0);
        for opt in [Opt::Updelay, Opt::Downdelay, Opt::PeerNotifDelay] {
            let name = opt.row().name;
            if let Some(delay) = self.number(opt).filter(|d| *d > 0) {
                ensure!(
                    miimon > 0,
                    "{name}={delay} needs miimon: the driver counts delays in monitoring intervals"
                );
                ensure!(
                    delay % miimon == 0,
                    "{name}={delay} is not a multiple of miimon={miimon}: the driver would round it down to {}",
                    delay / miimon * miimon
                );
            }
        }
        Ok(())
    }
}

/// What the switch must be set to for this mode, where it must be set at all.
#[must_use]
pub fn switch_support(mode: BondMode) -> Option<&'static str> {
    match mode {
        BalanceRr | BalanceXor | Broadcast => {
            Some("put the ports of all slaves into one static link aggregation group, without LACP")
        }
        Ieee8023ad => Some("put the ports of all slaves into one LACP group (active or passive)"),
        ActiveBackup | BalanceTlb | BalanceAlb | BalanceSlb => None,
    }
}
