"""Tasks on other machines, by Dask distributed, and their answers in a store that all of them share."""
