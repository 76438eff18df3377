//! The real binary on roots of the model of a dom0: what an operator sees of it, from the outside.
//! Nothing here knows the program's own types.

mod adopt;
mod attributes;
mod changes;
mod cut;
mod drill;
mod economy;
mod faults;
mod foreign;
mod full;
mod init;
mod interrupted;
mod json;
mod killed;
mod late;
mod life;
mod managed;
mod manners;
mod others;
mod reboots;
mod rehearse;
pub mod root;
mod saved;
mod schema;
mod storage;
mod story;
mod struck;
mod tuned;
mod undo;
mod values;
mod verdict;
mod xapi_bond;
mod xe_text;
mod years;
