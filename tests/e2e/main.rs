// SPDX-License-Identifier: Apache-2.0
//! End-to-end tests: the binary run as a process, against real files and real h5py.
//!
//! A module a theme; tests are named as sentences. What they need is installed by `make setup`,
//! the binary is built by `make test`.
#![forbid(unsafe_code)]

mod support;

mod authors;
mod c_plugins;
mod cli;
mod damaged_libraries;
mod docs;
mod drift;
mod dumps;
mod durable;
mod examples;
mod exit_codes;
mod faiss_golden;
mod faiss_hostile;
mod faiss_real;
mod faults;
mod forwarding;
mod hdf5_layouts;
mod kills;
mod loading;
mod loading_access;
mod logs;
mod memory;
mod milvus1_damaged;
mod milvus1_exact;
mod milvus1_memory;
mod milvus1_mysql;
mod milvus1_servers;
mod milvus1_sink;
mod milvus1_troubles;
mod modes;
mod old_defects;
mod old_tasks;
mod permissions;
mod reports;
mod signals;
mod sins_c;
mod sins_c_entries;
mod sins_c_tables;
mod sins_rust;
mod task_errors;
mod twins;
mod vendor;
mod verify;
mod verify_claims;
