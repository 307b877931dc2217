"""The sandbox's AWS keeps the promises of AWS that the product relies on; plain moto breaks most of them."""
