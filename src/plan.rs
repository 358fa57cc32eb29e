//! A network planned for one adapter: plain data, computed from shapes and limits.
