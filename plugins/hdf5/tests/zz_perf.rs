mod common;
use common::*;
use milvusdm_plugin_api::{Mode, ReadRequest, WriteAt};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
#[test]
#[ignore]
fn perf() {
    let src = std::env::var("SRC").unwrap();
    let dst = std::env::var("DST").unwrap();
    let mib: u64 = std::env::var("MIB").map_or(2, |v| v.parse().unwrap());
    let threads: usize = std::env::var("T").map_or(2, |v| v.parse().unwrap());
    let mut sink_options: serde_json::Value =
        std::env::var("OPT").map_or(json!({}), |v| serde_json::from_str(&v).unwrap());
    sink_options["path"] = json!(dst);
    let t = std::time::Instant::now();
    let source = source(json!({ "path": src })).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let rows = dataset.descriptor.rows.unwrap().value;
    let splits = source.splits(&dataset.key).unwrap();
    let sink = sink(sink_options);
    let direct = sink.capabilities().unwrap().addressed_writes;
    let writer = sink
        .prepare(&request(
            &dataset.schema,
            spec("c", None, Some(rows).filter(|_| direct), Mode::Overwrite),
        ))
        .unwrap();
    let prepared = t.elapsed();
    let next = AtomicUsize::new(0);
    let mut starts = vec![0u64];
    for s in &splits {
        starts.push(starts.last().unwrap() + s.live.unwrap());
    }
    let threads = if direct { threads } else { 1 };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::SeqCst);
                    let Some(split) = splits.get(i) else { break };
                    let mut row = starts[i];
                    let request = ReadRequest {
                        first_row: 0,
                        max_batch_bytes: mib << 20,
                        max_batch_rows: None,
                    };
                    let mut reader = source.read(&dataset, split, &request).unwrap();
                    while let Some(b) = reader.next().unwrap() {
                        let n = b.num_rows() as u64;
                        writer
                            .write(
                                WriteAt {
                                    split: i as u64,
                                    row,
                                },
                                b,
                            )
                            .unwrap();
                        row += n;
                    }
                }
            });
        }
    });
    let written = t.elapsed();
    let ack = writer.finish().unwrap();
    println!(
        "prepared {:.3} written {:.3} finished {:.3} rows {:?}",
        prepared.as_secs_f64(),
        written.as_secs_f64(),
        t.elapsed().as_secs_f64(),
        ack.rows_added
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status.lines().find(|l| l.starts_with("VmHWM")).unwrap()
    );
}
