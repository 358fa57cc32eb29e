//! Keras's own cache of published weights.

use std::env;
use std::path::PathBuf;

/// The file that `keras.applications.VGG16` downloads and keeps.
pub const VGG16_FILE: &str = "vgg16_weights_tf_dim_ordering_tf_kernels.h5";

/// Where Keras publishes it.
pub const VGG16_URL: &str = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/\
                             vgg16_weights_tf_dim_ordering_tf_kernels.h5";

/// Its MD5, as `keras.applications.VGG16` checks it.
pub const VGG16_MD5: &str = "64373286793e3c8b2b4e3219cbf3544b";

/// More than its 553,467,096 bytes, and an answer of another size is not it.
pub const VGG16_MAX_BYTES: u64 = 600_000_000;

/// `$KERAS_HOME/models`, or `~/.keras/models`; none where neither variable nor home folder is known.
pub fn models_folder() -> Option<PathBuf> {
    let home = env::var_os("KERAS_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".keras")))?;
    Some(home.join("models"))
}
