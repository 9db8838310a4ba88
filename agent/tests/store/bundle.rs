//! Offline sets.

use std::fs;
use std::path::Path;

use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::store::bundle::Bundle;
use meshloom_agent::trust::Signature;
use meshloom_agent::{Library as _, Reason, Sha256, Wanted};

use crate::registry::{Registry, module, parts, pinned, shelf, wanted};
use crate::signer::Signer;

const TAG: &str = "oci://registry.test/module:v1";
const URL: &str = "http://example.com/module.wasm";

async fn write(path: &Path) -> (Sha256, Sha256) {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let signature =
        Signature { payload: "payload".into(), signature: "c2ln".to_owned(), place: "there".to_owned() };
    let digest = registry.push(TAG, &module("a"));
    registry.change(TAG, |image| image.signatures = vec![signature]);
    let sum = registry.serve(URL, &module("b"));
    let shelf = shelf(folder.path(), &registry);
    let mut packed = Vec::new();
    let mut held = Vec::new();
    for url in [TAG, URL] {
        let (module, kept) = shelf.pack(wanted(url)).await.unwrap();
        packed.push(module);
        held.push(kept);
    }
    Bundle::write(path, &packed).unwrap();
    (digest, sum)
}

#[tokio::test]
async fn a_set_serves_without_network_what_was_packed_with_it() {
    for name in ["set", "set.tar"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let (digest, sum) = write(&path).await;
        let registry = Registry::new();
        let bundle = Some(Bundle::open(&path).unwrap());
        let store = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Parts { bundle, offline: true, ..parts(store.path(), &registry) });
        let held = shelf.obtain(wanted(TAG)).await.unwrap();
        assert_eq!((held.checksum, fs::read(&held.path).unwrap()), (digest, module("a")), "{name}");
        let held = shelf.obtain(pinned(&wanted(URL), sum)).await.unwrap();
        assert_eq!(fs::read(&held.path).unwrap(), module("b"), "{name}");
        let other = shelf.obtain(pinned(&wanted(TAG), Sha256::of(b"other"))).await.unwrap_err();
        assert_eq!(other.reason, Reason::Offline);
        assert_eq!(registry.visits(), (0, 0));
    }
}

#[tokio::test]
async fn a_set_keeps_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.tar");
    write(&path).await;
    let bundle = Bundle::open(&path).unwrap();
    let entry = bundle.find(TAG, None).unwrap();
    assert_eq!(entry.signatures[0].payload, "payload");
    assert_eq!(bundle.urls().count(), 2);
}

#[tokio::test]
async fn what_comes_from_a_set_has_to_be_signed_by_the_key_of_the_resource_too() {
    let (registry, signer, other) = (Registry::new(), Signer::new(), Signer::new());
    let digest = registry.push(TAG, &module("a"));
    registry.change(TAG, |image| image.signatures = vec![signer.sign_image(&digest, "registry.test/filter")]);
    let (packing, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("set.tar");
    let (packed, _held) = shelf(packing.path(), &registry).pack(wanted(TAG)).await.unwrap();
    Bundle::write(&path, &[packed]).unwrap();
    for (by, is_served) in [(&other, false), (&signer, true)] {
        let bundle = Some(Bundle::open(&path).unwrap());
        let store = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(Parts { bundle, offline: true, ..parts(store.path(), &registry) });
        let asked = Wanted { verification_key: Some(by.key()), ..wanted(TAG) };
        match shelf.obtain(asked).await {
            Ok(_) => assert!(is_served),
            Err(error) => assert_eq!((error.reason, is_served), (Reason::Unsigned, false), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_damaged_set_is_refused_by_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    write(&path).await;
    let blobs = path.join("blobs/sha256");
    let store = tempfile::tempdir().unwrap();
    let entry = Bundle::open(&path).unwrap().find(TAG, None).unwrap().clone();
    let mut bytes = module("a");
    bytes[10] ^= 1;
    fs::write(blobs.join(Sha256::of(&module("a")).to_string()), bytes).unwrap();
    assert_eq!(entry.copy_to(store.path()).unwrap_err().reason, Reason::ChecksumMismatch);
    assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);

    fs::remove_file(blobs.join(Sha256::of(&module("a")).to_string())).unwrap();
    let error = Bundle::open(&path).unwrap_err();
    assert!(error.message.contains("manifests[0]: blobs/sha256/"), "{error}");
    fs::write(path.join("index.json"), r#"{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:../../x","size":1,"annotations":{}}]}"#).unwrap();
    assert!(Bundle::open(&path).unwrap_err().message.contains("manifests[0]: no annotation"));
    fs::write(path.join("index.json"), "{").unwrap();
    assert!(Bundle::open(&path).unwrap_err().message.contains("index.json: "));
    for none in ["nothing", "set/index.json"] {
        assert!(Bundle::open(&folder.path().join(none)).is_err(), "{none}");
    }
}
