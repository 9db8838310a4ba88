//! What each stream to the control plane carries besides its messages.

use tonic::metadata::{Ascii, AsciiMetadataKey, BinaryMetadataKey, MetadataMap, MetadataValue};

/// Environment variables of this prefix become metadata, named by what follows it.
const PREFIX: &str = "XDS_HEADER_";

/// `ClusterID`, and every `XDS_HEADER_*` of the environment. Says all that cannot be sent.
pub(super) fn metadata(
    cluster: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<MetadataMap, Vec<String>> {
    let mut metadata = MetadataMap::new();
    let mut problems = Vec::new();
    match cluster.parse::<MetadataValue<Ascii>>() {
        Ok(value) => _ = metadata.insert("clusterid", value),
        Err(_) => problems.push(format!("ISTIO_META_CLUSTER_ID: {cluster:?} cannot be sent as metadata")),
    }
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        // HTTP/2 has names in lowercase only.
        let name = name.to_ascii_lowercase();
        if is_reserved(&name) {
            problems.push(format!("{variable}: {name:?} belongs to gRPC itself"));
        } else if let Ok(key) = name.parse::<BinaryMetadataKey>() {
            metadata.append_bin(key, MetadataValue::from_bytes(value.as_bytes()));
        } else {
            match (name.parse::<AsciiMetadataKey>(), value.parse()) {
                (Ok(key), Ok(value)) => _ = metadata.append(key, value),
                (Err(_), _) => problems.push(format!("{variable}: {name:?} cannot be the name of metadata")),
                // The value may be a credential, so it is not shown.
                (_, Err(_)) => {
                    problems.push(format!("{variable}: its value has characters that metadata cannot have"))
                }
            }
        }
    }
    if problems.is_empty() { Ok(metadata) } else { Err(problems) }
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("grpc-")
        || ["te", "content-type", "user-agent", "connection", "transfer-encoding", "host"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<MetadataMap, Vec<String>> {
        metadata(
            "Kubernetes",
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn the_cluster_and_the_named_variables_are_sent_and_no_others() {
        let metadata = with(&[
            ("XDS_HEADER_x-tenant", "acme"),
            ("XDS_HEADER_X_UPPER", "1"),
            ("XDS_HEADER_trace-bin", "\u{1}é"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(metadata.get("clusterid").unwrap(), "Kubernetes");
        assert_eq!(metadata.get("x-tenant").unwrap(), "acme");
        assert_eq!(metadata.get("x_upper").unwrap(), "1");
        assert_eq!(metadata.get_bin("trace-bin").unwrap().to_bytes().unwrap(), "\u{1}é".as_bytes());
        assert_eq!(metadata.len(), 4);
    }

    #[test]
    fn all_that_cannot_be_sent_is_refused_at_once_and_no_value_is_shown() {
        let problems = with(&[
            ("XDS_HEADER_", "1"),
            ("XDS_HEADER_a b", "1"),
            ("XDS_HEADER_authorization", "hunter2\n"),
            ("XDS_HEADER_grpc-timeout", "1S"),
        ])
        .unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(!problems.concat().contains("hunter2"));
        assert!(metadata("a\nb", []).unwrap_err()[0].contains("ISTIO_META_CLUSTER_ID"));
    }
}
