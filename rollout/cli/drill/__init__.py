"""The rotation drill: a mesh's root replaced on the lab under traffic, measured; and the same done in one step."""
