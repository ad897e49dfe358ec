package traffic

// osm is Open Service Mesh, which splits with SMI.
var osm = splitRouter("v1alpha2")
