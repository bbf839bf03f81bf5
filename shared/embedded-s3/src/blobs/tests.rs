use super::*;

#[test]
fn an_id_is_found_two_folders_down() {
    let path = path_of(Path::new("blobs"), BlobId(0x3f_0742));

    assert_eq!(path, Path::new("blobs/003f/07/000000003f0742"));
}

#[tokio::test]
async fn a_file_nobody_keeps_is_condemned() {
    let (folder, blobs, mut removals) = blobs();

    let mut writing = blobs.create(Hashing::for_body(None)).unwrap();
    writing.append(&[Bytes::from_static(b"bytes")]).unwrap();
    let (new, digests) = writing.finish().unwrap();
    let id = new.id;
    drop(new);

    assert_eq!(digests.size_bytes, 5);
    assert_eq!(removals.try_recv(), Ok(id));
    assert!(
        path_of(folder.path(), id).exists(),
        "removal is not its job"
    );
}

#[tokio::test]
async fn a_file_that_is_read_is_removed_after_the_last_reader() {
    let (_folder, blobs, mut removals) = blobs();
    let id = BlobId(7);
    let (first, second) = (blobs.pin([id].into_iter()), blobs.pin([id].into_iter()));

    blobs.condemn(id);
    drop(first);
    assert!(removals.try_recv().is_err(), "one reader is left");
    drop(second);

    assert_eq!(removals.try_recv(), Ok(id));
}

#[test]
fn leftovers_go_and_strangers_stay() {
    let (folder, blobs, _removals) = blobs();
    let root = folder.path();
    let ids: Vec<BlobId> = (0..3)
        .map(|_| {
            let (mut new, _digests) = blobs
                .create(Hashing::for_body(None))
                .and_then(Writing::finish)
                .unwrap();
            new.keep();
            new.id
        })
        .collect();
    let stranger = path_of(root, ids[0]).with_file_name("notes.txt");
    std::fs::write(&stranger, "not ours").unwrap();

    let leaves = leftovers::leaves(root).unwrap();
    let removed = leaves[0].tidy(root, &HashSet::from([ids[1]])).unwrap();

    assert_eq!(removed, 2);
    assert!(path_of(root, ids[1]).exists());
    assert!(!path_of(root, ids[2]).exists());
    assert!(stranger.exists());
}

fn blobs() -> (
    tempfile::TempDir,
    Arc<Blobs>,
    mpsc::UnboundedReceiver<BlobId>,
) {
    let folder = tempfile::tempdir().unwrap();
    let lock = File::create(folder.path().join("lock")).unwrap();
    let (blobs, removals) = Blobs::new(folder.path().to_owned(), BlobId(1), lock);
    (folder, blobs, removals)
}
