//! Reading and changing Protobuf messages without decoding them.
