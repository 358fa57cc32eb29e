//! Images: what is in a folder, decoded and resized as Pillow does it.
