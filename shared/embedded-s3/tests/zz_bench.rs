use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials as Keys, Region};
use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt as _;
use muniment_embedded_s3::{Credentials, EmbeddedS3};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

fn client(url: &str) -> Client {
    Client::from_conf(
        aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Keys::new("access", "secret", None, None, "test"))
            .endpoint_url(url)
            .force_path_style(true)
            .build(),
    )
}
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("VmHWM"))
        .collect()
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
async fn many(c: &Client, name: &str, n: usize, size: usize, conc: usize) {
    let body = vec![7u8; size];
    let t = Instant::now();
    let c0 = cpu();
    futures::stream::iter(0..n)
        .for_each_concurrent(conc, |i| {
            let (c, body) = (c.clone(), body.clone());
            let fut = async move {
                c.put_object()
                    .bucket("bucket")
                    .key(format!("{size}/{i:06}"))
                    .body(ByteStream::from(body))
                    .send()
                    .await
                    .unwrap();
            };
            async move { tokio::task::spawn(fut).await.unwrap() }
        })
        .await;
    println!(
        "{name}: put {size} B x{n} conc {conc}: {:.0}/s",
        n as f64 / t.elapsed().as_secs_f64()
    );
    println!("   cpu per op {:.0} us", (cpu() - c0) * 1e6 / n as f64);
    let t = Instant::now();
    let c0 = cpu();
    futures::stream::iter(0..n)
        .for_each_concurrent(conc, |i| {
            let c = c.clone();
            let fut = async move {
                c.get_object()
                    .bucket("bucket")
                    .key(format!("{size}/{i:06}"))
                    .send()
                    .await
                    .unwrap()
                    .body
                    .collect()
                    .await
                    .unwrap();
            };
            async move { tokio::task::spawn(fut).await.unwrap() }
        })
        .await;
    println!(
        "{name}: get {size} B x{n} conc {conc}: {:.0}/s",
        n as f64 / t.elapsed().as_secs_f64()
    );
    println!("   cpu per op {:.0} us", (cpu() - c0) * 1e6 / n as f64);
}
#[test]
fn bench() {
    let what = std::env::var("BENCH").unwrap_or_default();
    if what.is_empty() {
        return;
    }
    let rt = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    rt.block_on(async move {
        let folder = tempfile::tempdir_in("/work/main/target").unwrap();
        let s3 = EmbeddedS3::open(
            folder.path(),
            Credentials {
                access_key: "access".into(),
                secret_key: "secret".into(),
            },
        )
        .await
        .unwrap();
        s3.create_bucket("bucket").await.unwrap();
        let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", l.local_addr().unwrap());
        let _h = tokio::spawn(s3.serve(l, CancellationToken::new()));
        let c = client(&url);
        for w in what.split(',') {
            match w {
                "small" => {
                    for conc in [1, 32, 64] {
                        many(
                            &c,
                            "small",
                            if conc == 1 { 1000 } else { 10000 },
                            1024,
                            conc,
                        )
                        .await;
                    }
                }
                "sizes" => {
                    for size in [4096, 8192, 16384, 16385, 32768, 65536, 65537] {
                        many(&c, "sizes", 5000, size, 32).await;
                    }
                }
                "copy" => {
                    many(&c, "copy", 2000, 1024, 32).await;
                    let t = Instant::now();
                    futures::stream::iter(0..2000)
                        .for_each_concurrent(32, |i| {
                            let c = c.clone();
                            async move {
                                c.copy_object()
                                    .bucket("bucket")
                                    .key(format!("copy/{i}"))
                                    .copy_source(format!("bucket/1024/{i:06}"))
                                    .send()
                                    .await
                                    .unwrap();
                            }
                        })
                        .await;
                    println!("copy: {:.0}/s", 2000.0 / t.elapsed().as_secs_f64());
                    let t = Instant::now();
                    futures::stream::iter(0..2000)
                        .for_each_concurrent(32, |i| {
                            let c = c.clone();
                            async move {
                                c.head_object()
                                    .bucket("bucket")
                                    .key(format!("copy/{i}"))
                                    .send()
                                    .await
                                    .unwrap();
                            }
                        })
                        .await;
                    println!("head: {:.0}/s", 2000.0 / t.elapsed().as_secs_f64());
                }
                "list" => {
                    many(&c, "list", 10000, 100, 64).await;
                    let t = Instant::now();
                    let mut n = 0;
                    let mut p = c
                        .list_objects_v2()
                        .bucket("bucket")
                        .prefix("100/")
                        .into_paginator()
                        .send();
                    while let Some(x) = p.next().await {
                        n += x.unwrap().contents().len();
                    }
                    println!("list {n}: {:?}", t.elapsed());
                    let t = Instant::now();
                    let mut p = c
                        .list_objects_v2()
                        .bucket("bucket")
                        .prefix("100/")
                        .into_paginator()
                        .send();
                    let mut keys = vec![];
                    while let Some(x) = p.next().await {
                        keys.extend(
                            x.unwrap()
                                .contents()
                                .iter()
                                .map(|o| o.key().unwrap().to_owned()),
                        );
                    }
                    for chunk in keys.chunks(1000) {
                        let mut d = aws_sdk_s3::types::Delete::builder();
                        for k in chunk {
                            d = d.objects(
                                aws_sdk_s3::types::ObjectIdentifier::builder()
                                    .key(k)
                                    .build()
                                    .unwrap(),
                            );
                        }
                        c.delete_objects()
                            .bucket("bucket")
                            .delete(d.build().unwrap())
                            .send()
                            .await
                            .unwrap();
                    }
                    println!("list and bulk delete 10000: {:?}", t.elapsed());
                }
                "large" => {
                    println!("before {}", rss());
                    let f = folder.path().join("src");
                    {
                        use std::io::Write;
                        let mut w = std::fs::File::create(&f).unwrap();
                        let b: Vec<u8> = (0..1 << 20).map(|i| (i * 7 % 251) as u8).collect();
                        for _ in 0..1024 {
                            w.write_all(&b).unwrap();
                        }
                        w.sync_all().unwrap();
                    }
                    for round in 0..2 {
                        let t = Instant::now();
                        c.put_object()
                            .bucket("bucket")
                            .key("large")
                            .body(ByteStream::from_path(&f).await.unwrap())
                            .send()
                            .await
                            .unwrap();
                        println!(
                            "{round} put 1 GiB streamed (signed chunks): {:.0} MB/s {}",
                            1073.7 / t.elapsed().as_secs_f64(),
                            rss()
                        );
                        let t = Instant::now();
                        c.put_object()
                            .bucket("bucket")
                            .key("large2")
                            .body(ByteStream::from_path(&f).await.unwrap())
                            .customize()
                            .disable_payload_signing()
                            .send()
                            .await
                            .unwrap();
                        println!(
                            "{round} put 1 GiB streamed unsigned: {:.0} MB/s {}",
                            1073.7 / t.elapsed().as_secs_f64(),
                            rss()
                        );
                        let t = Instant::now();
                        let mut n = 0usize;
                        let mut fr = 0;
                        let mut o = c
                            .get_object()
                            .bucket("bucket")
                            .key("large")
                            .checksum_mode(aws_sdk_s3::types::ChecksumMode::Enabled)
                            .send()
                            .await
                            .unwrap();
                        while let Some(b) = o.body.next().await {
                            n += b.unwrap().len();
                            fr += 1;
                        }
                        println!(
                            "{round} get 1 GiB with checksum: {:.0} MB/s {n} {fr} frames {}",
                            1073.7 / t.elapsed().as_secs_f64(),
                            rss()
                        );
                        let t = Instant::now();
                        let n: usize = futures::stream::iter(0..128u64)
                            .map(|i| {
                                let c = c.clone();
                                async move {
                                    let o = c
                                        .get_object()
                                        .bucket("bucket")
                                        .key("large")
                                        .range(format!(
                                            "bytes={}-{}",
                                            i * (8 << 20),
                                            (i + 1) * (8 << 20) - 1
                                        ))
                                        .send()
                                        .await
                                        .unwrap();
                                    o.body.collect().await.unwrap().into_bytes().len()
                                }
                            })
                            .buffered(4)
                            .fold(0, |a, b| async move { a + b })
                            .await;
                        println!(
                            "{round} get 8 MiB ranges x4: {:.0} MB/s {n}",
                            1073.7 / t.elapsed().as_secs_f64()
                        );
                        let t = Instant::now();
                        c.copy_object()
                            .bucket("bucket")
                            .key("large3")
                            .copy_source("bucket/large")
                            .send()
                            .await
                            .unwrap();
                        println!("{round} copy 1 GiB: {:?}", t.elapsed());
                        let t = Instant::now();
                        let u = c
                            .create_multipart_upload()
                            .bucket("bucket")
                            .key("m")
                            .send()
                            .await
                            .unwrap()
                            .upload_id
                            .unwrap();
                        c.upload_part_copy()
                            .bucket("bucket")
                            .key("m")
                            .upload_id(&u)
                            .part_number(1)
                            .copy_source("bucket/large")
                            .copy_source_range(format!("bytes=512-{}", (1u64 << 30) - 512))
                            .send()
                            .await
                            .unwrap();
                        println!("{round} upload_part_copy 1 GiB range: {:?}", t.elapsed());
                        let t = Instant::now();
                        let part = bytes::Bytes::from(vec![9u8; 16 << 20]);
                        let u = c
                            .create_multipart_upload()
                            .bucket("bucket")
                            .key("mm")
                            .send()
                            .await
                            .unwrap()
                            .upload_id
                            .unwrap();
                        let mut parts: Vec<_> = futures::stream::iter(1..65)
                            .map(|i| {
                                let (c, u, part) = (c.clone(), u.clone(), part.clone());
                                async move {
                                    let o = tokio::spawn(async move {
                                        c.upload_part()
                                            .bucket("bucket")
                                            .key("mm")
                                            .upload_id(&u)
                                            .part_number(i)
                                            .body(ByteStream::from(part))
                                            .send()
                                            .await
                                            .unwrap()
                                    })
                                    .await
                                    .unwrap();
                                    aws_sdk_s3::types::CompletedPart::builder()
                                        .part_number(i)
                                        .set_e_tag(o.e_tag)
                                        .build()
                                }
                            })
                            .buffer_unordered(4)
                            .collect()
                            .await;
                        println!(
                            "{round} 64 parts of 16 MiB x4: {:.0} MB/s",
                            1073.7 / t.elapsed().as_secs_f64()
                        );
                        parts.sort_by_key(|p| p.part_number());
                        let t = Instant::now();
                        c.complete_multipart_upload()
                            .bucket("bucket")
                            .key("mm")
                            .upload_id(&u)
                            .multipart_upload(
                                aws_sdk_s3::types::CompletedMultipartUpload::builder()
                                    .set_parts(Some(parts))
                                    .build(),
                            )
                            .send()
                            .await
                            .unwrap();
                        println!("{round} complete: {:?} {}", t.elapsed(), rss());
                    }
                }
                _ => {}
            }
        }
        println!("peak {}", rss());
    });
}
