//! Decoder throughput on generated streams and chunk sizes, compared with the reference pass.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sse_proto_benches::{all, decode, reference};

fn streams(c: &mut Criterion) {
    for stream in all(1 << 20) {
        let bytes = &stream.bytes[..];
        let mut group = c.benchmark_group(stream.name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        for (label, size) in stream.chunks() {
            assert_eq!(
                decode(bytes, size),
                stream.answer,
                "{} in chunks of {size}",
                stream.name
            );
            group.bench_function(BenchmarkId::new("decode", label), |b| {
                b.iter(|| decode(bytes, size))
            });
            group.bench_function(BenchmarkId::new("reference", label), |b| {
                b.iter(|| reference(bytes, size))
            });
        }
        group.finish();
    }
}

criterion_group!(benches, streams);
criterion_main!(benches);
