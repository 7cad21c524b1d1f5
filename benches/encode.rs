//! Encoder throughput on generated frames, compared with a plain copy of the same text.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sse_proto_benches::frames;

fn writers(c: &mut Criterion) {
    for frames in frames::all() {
        let mut group = c.benchmark_group(frames.name);
        group.throughput(Throughput::Elements(frames.count() as u64));
        let mut out = frames.output();
        for (name, write) in frames.writers {
            group.bench_function(BenchmarkId::new("encode", name), |b| {
                b.iter(|| write(&frames, &mut out))
            });
        }
        group.finish();
    }
}

criterion_group!(benches, writers);
criterion_main!(benches);
