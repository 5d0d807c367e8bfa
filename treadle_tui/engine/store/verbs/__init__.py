"""The changes a store can make, each written once, over a `Unit`, for every store."""
