use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const MODULE: &[u8] = b"\0asm\x01\0\0\0 a module";

fn limits() -> Limits {
    Limits { module: 1 << 20, unpacked: 4 << 20, ratio: 100, floor: 1 << 20, entries: 100, depth: 4 }
}

fn taken(packed: &[u8], limits: &Limits) -> Result<Vec<u8>, Fault> {
    let mut output = Vec::new();
    let (sha256, size) = unpack(packed, packed.len() as u64, limits, &|| false, &mut output)?;
    assert_eq!((sha256, size), (Sha256::of(&output), output.len() as u64));
    Ok(output)
}

fn refused(packed: &[u8]) -> String {
    taken(packed, &limits()).unwrap_err().to_string()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn header(name: &str, kind: EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap_or_else(|_| {
        // What the library would not write, such as `..`.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    });
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

use tar::EntryType;

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        builder.append(&header(name, EntryType::Regular, content.len() as u64), *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn a_module_is_found_however_it_is_packed() {
    let in_tar = tar(&[("folder/plugin.wasm", MODULE)]);
    for packed in [
        MODULE.to_vec(),
        gz(MODULE),
        zst(MODULE),
        in_tar.clone(),
        gz(&in_tar),
        zst(&in_tar),
        gz(&gz(MODULE)),
        tar(&[("module.wasm.gz", &gz(MODULE))]),
        gz(&tar(&[("inner.tar.gz", &gz(&in_tar))])),
        [gz(&MODULE[..3]), gz(&MODULE[3..])].concat(),
        [zst(&MODULE[..3]), zst(&MODULE[3..])].concat(),
        [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zst(MODULE)].concat(),
    ] {
        assert_eq!(taken(&packed, &limits()).unwrap(), MODULE);
    }
}

#[test]
fn an_archive_of_the_time_before_ustar_is_one_too() {
    let mut old = tar::Header::new_old();
    old.set_path("module.wasm").unwrap();
    old.set_size(MODULE.len() as u64);
    old.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&old, MODULE).unwrap();
    assert_eq!(taken(&builder.into_inner().unwrap(), &limits()).unwrap(), MODULE);
}

#[test]
fn plugin_wasm_is_taken_before_all_else_and_a_module_before_a_box() {
    let (first, other) = (b"\0asm first", b"\0asm other");
    let of = |files: &[(&str, &[u8])]| taken(&gz(&tar(files)), &limits()).unwrap();
    assert_eq!(of(&[("a.wasm", first), ("./plugin.wasm", MODULE), ("plugin.wasm", other)]), MODULE);
    assert_eq!(of(&[("README", b"text"), ("a.wasm", MODULE), ("b.wasm", other)]), MODULE);
    assert_eq!(of(&[("a.gz", &gz(first)), ("b.wasm", MODULE)]), MODULE);
    assert_eq!(of(&[("a.gz", &gz(b"text")), ("b.gz", &[0x1f, 0x8b, 9, 9]), ("plugin.wasm", MODULE)]), MODULE);
    assert_eq!(of(&[("not-plugin.wasm", b"text"), ("plugin.wasm", &gz(MODULE))]), MODULE);
}

#[test]
fn a_name_of_any_length_is_read() {
    let long = format!("{}plugin.wasm", "folder/".repeat(60));
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header("a.wasm", EntryType::Regular, 10), &b"\0asm first"[..]).unwrap();
    let mut gnu = tar::Header::new_gnu();
    gnu.set_size(MODULE.len() as u64);
    builder.append_data(&mut gnu, &long, MODULE).unwrap();
    assert_eq!(taken(&builder.into_inner().unwrap(), &limits()).unwrap(), MODULE);

    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header("a.wasm", EntryType::Regular, 10), &b"\0asm first"[..]).unwrap();
    builder.append_pax_extensions([("comment", &b"x"[..]), ("path", long.as_bytes())]).unwrap();
    builder.append(&header("short", EntryType::Regular, MODULE.len() as u64), MODULE).unwrap();
    assert_eq!(taken(&builder.into_inner().unwrap(), &limits()).unwrap(), MODULE);
}

#[test]
fn what_is_no_module_is_called_by_what_it_is() {
    for (content, word) in [
        (&b""[..], "empty"),
        (b"<!DOCTYPE html><p>Sign in", "HTML page"),
        (b"\n <HTML>", "HTML page"),
        (b"{\"errors\": []}", "JSON"),
        (b"PK\x03\x04", "zip"),
        (b"\x7fELF\x02", "ELF"),
        (b"(module)", "text form"),
        (b"\xff\"\n", r#"begins with "\xff\"\n""#),
        (&tar(&[("README", b"text")]), r#""README" (file)"#),
        (&tar(&[("plugin.wasm", b"text")]), "plugin.wasm in the archive is no Wasm module"),
        (&tar(&[("plugin.wasm", &gz(b"text"))]), "plugin.wasm in the archive is gzip with no Wasm module"),
        (&gz(b"text"), "gzip with no Wasm module"),
    ] {
        let said = refused(content);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn of_a_large_archive_only_some_names_are_listed_and_none_is_printed_raw() {
    let files = (0..20).map(|index| (format!("{index}\n\x1b[2J"), &b"x"[..])).collect::<Vec<_>>();
    let files = files.iter().map(|(name, content)| (name.as_str(), *content)).collect::<Vec<_>>();
    let said = refused(&tar(&files));
    assert!(said.contains("and 12 more") && !said.contains('\n') && !said.contains('\x1b'), "{said}");
}

#[test]
fn links_folders_and_names_that_climb_lead_nowhere() {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind) in [
        ("plugin.wasm", EntryType::Symlink),
        ("plugin.wasm", EntryType::Link),
        ("plugin.wasm", EntryType::Directory),
        ("plugin.wasm", EntryType::Fifo),
        ("plugin.wasm", EntryType::GNUSparse),
    ] {
        let mut header = header(name, kind, 0);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    }
    let said = refused(&builder.into_inner().unwrap());
    for kind in ["link", "folder", "special file", "sparse file"] {
        assert!(said.contains(kind), "{said}");
    }
    assert_eq!(taken(&tar(&[("../../tmp/plugin.wasm", MODULE)]), &limits()).unwrap(), MODULE);
}

#[test]
fn a_size_that_lies_is_found_out() {
    let mut lying = header("plugin.wasm", EntryType::Regular, 900_000).as_bytes().to_vec();
    lying.extend_from_slice(MODULE);
    assert!(refused(&lying).contains("ends early"), "{}", refused(&lying));

    let mut huge = header("README", EntryType::Regular, 0);
    huge.set_size(u64::MAX / 2);
    huge.set_cksum();
    let huge = [huge.as_bytes(), &b"text"[..]].concat();
    assert!(refused(&huge).contains("broken archive"), "{}", refused(&huge));

    let mut sparse = tar::Builder::new(Vec::new());
    sparse.append_pax_extensions([("GNU.sparse.realsize", &b"99999999"[..])]).unwrap();
    assert!(refused(&sparse.into_inner().unwrap()).contains("sparse"));
}

#[test]
fn more_than_the_limits_is_refused_by_the_limit() {
    let zeros = vec![0; 2 << 20];
    let module = [MODULE, &zeros].concat();
    let many = (0..101).map(|_| ("a", &b"x"[..])).collect::<Vec<_>>();
    let mut nested = MODULE.to_vec();
    for _ in 0..5 {
        nested = gz(&nested);
    }
    let small = Limits { ratio: 1_000_000, ..limits() };
    for (packed, limits, word) in [
        (module.clone(), limits(), "larger than 1048576 bytes"),
        (gz(&module), small, "larger than 1048576 bytes"),
        (gz(&tar(&[("a", &zeros), ("b", &zeros), ("plugin.wasm", MODULE)])), small, "4194304 bytes come out"),
        (
            zst(&tar(&[("a", &zeros), ("b", &zeros), ("plugin.wasm", MODULE)])),
            small,
            "4194304 bytes come out",
        ),
        (gz(&module), limits(), "more than 100 times as many"),
        (zst(&module), limits(), "more than 100 times as many"),
        (gz(&tar(&many)), limits(), "more than 100 entries"),
        (nested, limits(), "more than 4 archives"),
    ] {
        let fault = taken(&packed, &limits).unwrap_err();
        assert!(matches!(fault, Fault::TooLarge(_)) && fault.to_string().contains(word), "{fault}: {word}");
    }
}

#[test]
fn a_window_that_would_fill_the_memory_is_refused() {
    // A frame with a window of 128 MiB (descriptor 0x88), of one raw block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 0x01 | 8 << 3, 0, 0];
    let frame = [&frame[..], &MODULE[..8]].concat();
    assert!(refused(&frame).contains("broken"), "{}", refused(&frame));
    let small = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0x01 | 8 << 3, 0, 0][..], &MODULE[..8]].concat();
    assert_eq!(taken(&small, &limits()).unwrap(), &MODULE[..8]);
}

#[test]
fn what_is_cut_short_is_refused() {
    let content: Vec<u8> = MODULE.iter().copied().chain((0..20_000_u32).flat_map(u32::to_le_bytes)).collect();
    for whole in
        [gz(&content), zst(&content), tar(&[("a.wasm", &content)]), gz(&tar(&[("a.wasm", &content)]))]
    {
        let fault = taken(&whole[..whole.len() / 2], &limits()).unwrap_err();
        assert!(matches!(fault, Fault::NotAModule(_)), "{fault}");
    }
    let mut wrong = gz(&content);
    let last = wrong.len() - 6;
    wrong[last] ^= 1;
    assert!(refused(&wrong).contains("broken"), "{}", refused(&wrong));
}

#[test]
fn nobody_waits_for_what_is_given_up() {
    let packed = gz(&[MODULE, &[1; 100_000]].concat());
    let mut output = Vec::new();
    let fault = unpack(&packed[..], packed.len() as u64, &limits(), &|| true, &mut output).unwrap_err();
    assert!(matches!(fault, Fault::Cancelled));
}

fn any_box() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..700),
        proptest::collection::vec(any::<u8>(), 0..100).prop_map(|rest| [b"\0asm", &rest[..]].concat()),
    ];
    leaf.prop_recursive(5, 20, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|bytes| gz(&bytes)),
            inner.clone().prop_map(|bytes| zst(&bytes)),
            proptest::collection::vec((prop_oneof![Just("plugin.wasm"), Just("a")], inner), 0..3).prop_map(
                |files| {
                    let files = files.iter().map(|(name, content)| (*name, &content[..])).collect::<Vec<_>>();
                    tar(&files)
                }
            ),
        ]
    })
}

proptest! {
    /// Whatever comes is unpacked within the limits, or refused.
    #[test]
    fn no_input_gets_past_the_limits(
        mut packed in any_box(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        for (place, byte) in changes {
            if !packed.is_empty() {
                let place = place.index(packed.len());
                packed[place] = byte;
            }
        }
        let limits = Limits { module: 64, unpacked: 20_000, ratio: 10, floor: 5_000, entries: 5, depth: 3 };
        if let Ok(module) = taken(&packed, &limits) {
            prop_assert!(module.starts_with(b"\0asm") && module.len() <= 64);
        }
    }
}
