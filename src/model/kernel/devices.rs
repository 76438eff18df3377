//! The kernel's devices, addresses and routes.

use std::net::Ipv4Addr;

use crate::model::state::{Backend, Device, Dom0, Route};
use crate::net::Ipv4Net;

impl Dom0 {
    /// Whether the kernel has a device of this name.
    #[must_use]
    pub fn has_device(&self, name: &str) -> bool {
        name == "lo"
            || self.nics.contains_key(name)
            || self.bonds.contains_key(name)
            || self.devices.contains_key(name)
    }

    /// Every device but `lo`.
    #[must_use]
    pub fn device_names(&self) -> Vec<String> {
        let keys = self.nics.keys().chain(self.bonds.keys()).chain(self.devices.keys());
        keys.cloned().collect()
    }

    /// Its present hardware address.
    #[must_use]
    pub fn mac_of(&self, name: &str) -> Option<String> {
        let nic = self.nics.get(name).map(|n| &n.mac);
        let bond = self.bonds.get(name).map(|b| &b.mac);
        nic.or(bond).or(self.devices.get(name).map(|d| &d.mac)).cloned()
    }

    /// What it is a port or slave of.
    #[must_use]
    pub fn master_of(&self, name: &str) -> Option<&str> {
        let nic = self.nics.get(name).map(|n| n.master.as_deref());
        let bond = self.bonds.get(name).map(|b| b.master.as_deref());
        nic.or(bond).or(self.devices.get(name).map(|d| d.master.as_deref())).flatten()
    }

    pub(crate) fn set_master(&mut self, name: &str, master: Option<&str>) {
        let master = master.map(str::to_string);
        if let Some(nic) = self.nics.get_mut(name) {
            nic.master = master;
        } else if let Some(bond) = self.bonds.get_mut(name) {
            bond.master = master;
        } else if let Some(device) = self.devices.get_mut(name) {
            device.master = master;
        }
    }

    /// Ports or slaves of a device.
    #[must_use]
    pub fn ports_of(&self, name: &str) -> Vec<String> {
        self.device_names().into_iter().filter(|d| self.master_of(d) == Some(name)).collect()
    }

    /// Whether it is administratively up.
    #[must_use]
    pub fn is_up(&self, name: &str) -> bool {
        self.nics.get(name).map(|n| n.up).unwrap_or_default()
            || self.bonds.get(name).map(|b| b.up).unwrap_or_default()
            || self.devices.get(name).map(|d| d.up).unwrap_or_default()
    }

    pub(crate) fn set_up(&mut self, name: &str, up: bool) {
        if let Some(nic) = self.nics.get_mut(name) {
            nic.up = up;
        } else if let Some(bond) = self.bonds.get_mut(name) {
            bond.up = up;
            bond.opened |= up;
            let slaves: Vec<String> = bond.slaves.iter().map(|s| s.name.clone()).collect();
            for slave in slaves.iter().filter(|_| up) {
                self.set_up(slave, true);
            }
        } else if let Some(device) = self.devices.get_mut(name) {
            device.up = up;
        }
        if up {
            for address in self.addresses.get(name).cloned().unwrap_or_default() {
                self.add_connected(name, &address);
            }
        } else {
            self.routes.retain(|_, route| route.dev != name);
        }
        self.settle();
        self.vlans_follow(name, up);
    }

    /// Whether it has a carrier; no device that is down has one.
    #[must_use]
    pub fn carrier(&self, name: &str) -> bool {
        if let Some(nic) = self.nics.get(name) {
            return nic.up && nic.link;
        }
        if let Some(bond) = self.bonds.get(name) {
            return bond.up && bond.carrier();
        }
        if let Some(below) = self.vlan_below(name) {
            return self.is_up(name) && self.carrier(below);
        }
        self.devices.get(name).is_some_and(|device| {
            device.up
                && (device.kind != "bridge" || self.ports_of(name).iter().any(|p| self.carrier(p)))
        })
    }

    pub(crate) fn set_mtu(&mut self, name: &str, mtu: u32) -> bool {
        if let Some(nic) = self.nics.get_mut(name) {
            let fits = mtu <= nic.max_mtu;
            nic.mtu = if fits { mtu } else { nic.mtu };
            self.clamp_vlans(name);
            return fits;
        }
        if let Some(bond) = self.bonds.get(name) {
            let slaves: Vec<String> = bond.slaves.iter().map(|s| s.name.clone()).collect();
            let fits = slaves.iter().all(|s| self.nics.get(s).is_none_or(|n| mtu <= n.max_mtu));
            if fits {
                for slave in &slaves {
                    self.set_mtu(slave, mtu);
                }
                if let Some(bond) = self.bonds.get_mut(name) {
                    bond.mtu = mtu;
                }
                self.clamp_vlans(name);
            }
            return fits;
        }
        if self.vlan_below(name).is_some_and(|below| mtu > self.mtu_of(below)) {
            return false;
        }
        match self.devices.get_mut(name) {
            Some(device) => device.mtu = mtu,
            None => return false,
        }
        true
    }

    pub(crate) fn mtu_of(&self, name: &str) -> u32 {
        let nic = self.nics.get(name).map(|n| n.mtu);
        let bond = self.bonds.get(name).map(|b| b.mtu);
        nic.or(bond).or(self.devices.get(name).map(|d| d.mtu)).unwrap_or(1500)
    }

    pub(crate) fn number(&mut self, name: &str) -> u32 {
        let next = self.ifindex.values().max().copied().unwrap_or(1) + 1;
        *self.ifindex.entry(name.to_string()).or_insert(next)
    }

    pub(crate) fn add_device(&mut self, name: &str, kind: &str, mac: &str) {
        if !self.has_device(name) {
            let device = Device {
                kind: kind.to_string(),
                mac: mac.to_string(),
                mtu: 1500,
                up: true,
                master: None,
                below: None,
                tag: None,
            };
            self.devices.insert(name.to_string(), device);
            self.number(name);
        }
    }

    /// Takes a device out of the kernel with all that hangs on it.
    pub(crate) fn drop_device(&mut self, name: &str) {
        for port in self.ports_of(name) {
            self.set_master(&port, None);
        }
        for vlan in self.vlans_on(name) {
            self.drop_device(&vlan);
        }
        self.flush(name);
        self.routes.retain(|_, route| route.dev != name);
        self.devices.remove(name);
        self.bonds.remove(name);
        self.nics.remove(name);
        self.ifindex.remove(name);
    }

    pub(crate) fn add_address(&mut self, dev: &str, address: &str) -> bool {
        let new = self.addresses.entry(dev.to_string()).or_default().insert(address.to_string());
        if new && self.is_up(dev) {
            self.add_connected(dev, address);
        }
        new
    }

    /// `ip addr del`: with the address its network goes, unless another address is in it, and what
    /// is behind routers of that network (fib_del_ifaddr in net/ipv4/fib_frontend.c).
    pub(crate) fn remove_address(&mut self, dev: &str, address: &str) -> bool {
        let Some(all) = self.addresses.get_mut(dev) else { return false };
        if !all.remove(address) {
            return false;
        }
        let left: Vec<Ipv4Net> = all.iter().filter_map(|a| a.parse().ok()).collect();
        let Ok(net) = address.parse::<Ipv4Net>() else { return true };
        let within = |via: &str| via.parse().is_ok_and(|via| left.iter().any(|n| n.contains(via)));
        if !left.iter().any(|other| other.subnet() == net.subnet()) {
            self.routes.remove(&route_key(&net.subnet().to_string(), dev));
        }
        self.routes.retain(|_, r| r.dev != dev || r.via.as_deref().is_none_or(within));
        true
    }

    /// `ip route del TO [via GATEWAY] dev DEVICE`.
    pub(crate) fn remove_route(&mut self, to: &str, dev: &str, via: Option<&str>) -> bool {
        let same = |r: &Route| {
            r.to == to && r.dev == dev && via.is_none_or(|via| r.via.as_deref() == Some(via))
        };
        let before = self.routes.len();
        self.routes.retain(|_, route| !same(route));
        self.routes.len() < before
    }

    fn add_connected(&mut self, dev: &str, address: &str) {
        if let Ok(net) = address.parse::<Ipv4Net>()
            && net.prefix < 32
        {
            self.add_route(&net.subnet().to_string(), dev, None, 0);
        }
    }

    pub(crate) fn flush(&mut self, dev: &str) {
        for address in self.addresses.remove(dev).unwrap_or_default() {
            if let Ok(net) = address.parse::<Ipv4Net>() {
                self.routes.remove(&route_key(&net.subnet().to_string(), dev));
            }
        }
        // A gateway that is out of reach takes its routes with it.
        let dead = |r: &Route| r.dev == dev && r.via.is_some();
        self.routes.retain(|_, route| !dead(route));
    }

    /// Adds a route; false when there is the same already.
    pub(crate) fn add_route(
        &mut self,
        to: &str,
        dev: &str,
        via: Option<&str>,
        metric: u32,
    ) -> bool {
        let route = Route {
            to: to.to_string(),
            dev: dev.to_string(),
            via: via.map(str::to_string),
            metric,
        };
        self.routes.insert(route_key(to, dev), route).is_none()
    }

    /// `ip route add TO [via GATEWAY] dev DEVICE`, as the kernel takes it (net/ipv4/fib_frontend.c
    /// and fib_semantics.c).
    pub(crate) fn set_route(
        &mut self,
        to: &str,
        dev: &str,
        via: Option<&str>,
    ) -> Result<(), &'static str> {
        let net = to.parse::<Ipv4Net>().map_err(|_| "Invalid argument")?;
        if !self.has_device(dev) {
            return Err("No such device");
        }
        if net != net.subnet() {
            return Err("Invalid argument");
        }
        if !self.is_up(dev) {
            return Err("Network is down");
        }
        let on_link = |gateway: Ipv4Addr| {
            let own = self.addresses.get(dev).into_iter().flatten();
            own.filter_map(|a| a.parse::<Ipv4Net>().ok()).any(|net| net.contains(gateway))
        };
        if via.is_some_and(|via| !via.parse().is_ok_and(on_link)) {
            return Err("Network is unreachable");
        }
        if self.routes.values().any(|r| r.to == to && r.metric == 0) {
            return Err("File exists");
        }
        self.add_route(to, dev, via, 0);
        Ok(())
    }

    /// `ip route replace`: the destination leaves every other device.
    pub(crate) fn replace_route(&mut self, to: &str, dev: &str, via: Option<&str>) {
        self.routes.retain(|_, route| route.to != to);
        self.add_route(to, dev, via, 0);
    }

    /// Whether this address is on a device here.
    #[must_use]
    pub fn owns(&self, ip: &str) -> bool {
        self.addresses.values().flatten().any(|a| a.split('/').next() == Some(ip))
    }

    /// The device that a packet to this address leaves by, when it is on a subnet of ours.
    #[must_use]
    pub fn device_towards(&self, ip: Ipv4Addr) -> Option<&str> {
        let fits = |net: &Ipv4Net| net.subnet().contains(ip);
        self.addresses
            .iter()
            .flat_map(|(dev, list)| list.iter().map(move |a| (dev.as_str(), a)))
            .filter_map(|(dev, a)| Some((dev, a.parse::<Ipv4Net>().ok()?)))
            .filter(|(dev, net)| fits(net) && self.is_up(dev))
            .max_by_key(|(_, net)| net.prefix)
            .map(|(dev, _)| dev)
            .or_else(|| self.route_towards(ip).map(|route| route.dev.as_str()))
    }

    /// The route by a router that leads to an address, the default route aside.
    fn route_towards(&self, ip: Ipv4Addr) -> Option<&Route> {
        let fits = |route: &&Route| {
            let net = route.to.parse::<Ipv4Net>().ok().filter(|net| net.prefix > 0);
            route.via.is_some() && net.is_some_and(|net| net.contains(ip))
        };
        let prefix = |route: &&Route| route.to.parse::<Ipv4Net>().map_or(0, |net| net.prefix);
        self.routes.values().filter(fits).max_by_key(prefix)
    }

    /// Whether the router on the way to an address is there, where there is one.
    fn is_passed_on(&self, ip: Ipv4Addr) -> bool {
        let own = self.addresses.values().flatten().filter_map(|a| a.parse::<Ipv4Net>().ok());
        let near = own.into_iter().any(|net| net.contains(ip));
        let router = self.route_towards(ip).and_then(|route| route.via.as_ref());
        near || router.is_none_or(|router| self.wire.reachable.contains(router))
    }

    /// Whether the switch port of a NIC leads to an address.
    pub(super) fn passes(&self, nic: &str, to: Option<Ipv4Addr>) -> bool {
        let net = self.wire.management.as_ref().and_then(|net| net.parse::<Ipv4Net>().ok());
        let apart = to.zip(net).is_some_and(|(to, net)| net.contains(to));
        !(self.wire.silent.contains(nic) || apart && self.wire.apart.contains(nic))
    }

    /// Whether a frame from this device gets out, to an address.
    #[must_use]
    pub fn gets_out(&self, dev: &str, to: Option<Ipv4Addr>) -> bool {
        if let Some(bond) = self.bonds.get(dev) {
            let passes = |slave: &str| self.carrier(slave) && self.passes(slave, to);
            let mut used = bond.slaves.iter().filter(|s| s.status == "up").peekable();
            return bond.up
                && used.peek().is_some()
                && match &bond.active {
                    // Without a monitor a dead slave may be the one that is used.
                    Some(active) => passes(active),
                    None => used.all(|s| passes(&s.name)),
                };
        }
        if let Some(below) = self.vlan_below(dev) {
            return self.is_up(dev) && self.passes(dev, to) && self.gets_out(below, to);
        }
        self.carrier(dev)
            && self.passes(dev, to)
            && (self.nics.contains_key(dev)
                || self.ports_of(dev).iter().any(|p| self.gets_out(p, to))
                || self.running == Backend::Openvswitch && self.vswitch_passes(dev, to))
    }

    /// Whether an address answers a packet from this device, or from whichever leads there.
    pub(crate) fn is_answered(&self, target: &str, device: Option<&str>) -> bool {
        let towards = target.parse().ok().and_then(|ip| self.device_towards(ip));
        let device = device.filter(|d| self.has_device(d)).or(towards);
        self.owns(target)
            || device.is_some_and(|d| {
                let passed = target.parse().is_ok_and(|ip| self.is_passed_on(ip));
                towards == Some(d)
                    && self.gets_out(d, target.parse().ok())
                    && passed
                    && self.wire.reachable.contains(target)
            })
    }

    /// The packets that are due.
    fn send_traffic(&mut self) {
        while let Some(traffic) = self.traffic.clone().filter(|t| t.next <= self.clock) {
            let answered = self.is_answered(&traffic.target, traffic.device.as_deref());
            if let Some(now) = &mut self.traffic {
                now.answered.push(answered);
                now.next += now.interval.max(1);
            }
        }
    }

    /// Time passes; what was waiting happens.
    pub(crate) fn advance(&mut self, ms: u64) {
        let end = self.clock + ms;
        while self.clock < end {
            let slaves = self.bonds.values().flat_map(|b| &b.slaves).any(|s| s.until.is_some());
            let waiting = slaves || self.vswitch_waits();
            let mut step = if waiting { 100 } else { end - self.clock };
            if let Some(traffic) = &self.traffic {
                step = step.min(traffic.next.saturating_sub(self.clock).max(1));
            }
            self.clock += step.min(end - self.clock);
            self.settle();
            self.send_traffic();
            if self.xapi_up_at.is_some_and(|at| at <= self.clock) {
                self.xapi_up_at = None;
                self.xapi = crate::model::state::Xapi::Up;
            }
        }
    }
}

fn route_key(to: &str, dev: &str) -> String {
    let to = if to == "0.0.0.0/0" { "default" } else { to };
    format!("{to} {dev}")
}
